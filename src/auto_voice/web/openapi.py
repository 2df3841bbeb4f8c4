"""The OpenAPI 3.1 description, made from the endpoints and the types that validate them."""

import inspect
import re
from typing import Any, Dict, Iterable, List

import msgspec
from flask import render_template
from markupsafe import Markup, escape

from auto_voice import __version__
from auto_voice.audio.encoders import FORMATS
from auto_voice.synthesis.captions import FORMATS as CAPTION_FORMATS
from auto_voice.web.endpoint import ASSET, AUDIO, CAPTIONS, HTML, NOTHING, TEXT, Endpoint
from auto_voice.web.speech_schemas import TimedSpeech

_RAW = (AUDIO, CAPTIONS, TEXT, HTML, ASSET, NOTHING)
_PARAMETER = re.compile(r"<(?:path:)?(\w+)>")
_CODE = re.compile(r"`([^`]+)`")
_REF = "#/components/schemas/{name}"
_WHAT = {
    101: "The connection is a WebSocket from here on",
    200: "Success",
    201: "Made",
    202: "Begun",
    204: "There is nothing to say",
    304: "It has not changed",
    400: "The request is wrong",
    401: "The API key is missing or wrong",
    403: "The server may not do this",
    404: "There is no such thing",
    409: "Not as it is now",
    408: "The body did not arrive in time",
    412: "It is not as expected",
    413: "The body is too large",
    415: "The body is not of a type that is read here",
    426: "This is a WebSocket; ask for an upgrade",
    429: "Too many requests; try again after Retry-After seconds",
    500: "The server or its engine failed",
    503: "Not now; try again after Retry-After seconds",
    504: "The engine did not answer in time",
    507: "The disk is full",
}


def document(endpoints: Iterable[Endpoint]) -> Dict[str, Any]:
    """The whole description as JSON types."""
    endpoints = tuple(endpoints)
    schemas, components = _schemas(endpoints)
    paths: Dict[str, Dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AutoVoice",
            "version": __version__,
            "summary": "Text in, speech out.",
            "description": "A voice-synthesis server that speaks OpenAI's speech API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, where the server has any.",
                }
            },
        },
    }


def page(endpoints: Iterable[Endpoint]) -> str:
    """The same description as an HTML page that needs nothing from elsewhere."""
    described = document(endpoints)
    components = described["components"]["schemas"]

    def resolve(schema: Dict[str, Any]) -> Dict[str, Any]:
        reference = schema.get("$ref")
        return components[reference.rsplit("/", 1)[-1]] if reference else schema

    def kind(schema: Dict[str, Any]) -> str:
        """A schema in a few words."""
        if "anyOf" in schema:
            return " or ".join(kind(one) for one in schema["anyOf"] if one != {"type": "null"})
        schema = resolve(schema)
        if "enum" in schema:
            return ", ".join(str(value) for value in schema["enum"] if value is not None)
        bounds = [str(schema[key]) for key in ("minimum", "maximum") if key in schema]
        words = str(schema.get("type", "any"))
        return f"{words}, {' to '.join(bounds)}" if bounds else words

    def marked(text: str) -> Markup:
        """Text with its `code` set as such."""
        return Markup(  # nosec B704: escaped just here
            _CODE.sub(r"<code>\1</code>", str(escape(text)))
        )

    return render_template(
        "docs.html",
        document=described,
        formats=FORMATS,
        resolve=resolve,
        kind=kind,
        marked=marked,
    )


def _schemas(endpoints: Iterable[Endpoint]) -> "tuple[Dict[Any, Any], Dict[str, Any]]":
    types: List[Any] = [TimedSpeech]
    for endpoint in endpoints:
        for kind in (*endpoint.answers.values(), endpoint.body, endpoint.query):
            if kind is not None and kind not in _RAW and kind not in types:
                types.append(kind)
    made, components = msgspec.json.schema_components(types, ref_template=_REF)
    return dict(zip(map(repr, types), made)), components


def _operation(endpoint: Endpoint, schemas: Dict[Any, Any]) -> Dict[str, Any]:
    operation: Dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": inspect.getdoc(endpoint.function) or "",
        "responses": {
            str(status): _answer(status, kind, schemas) for status, kind in endpoint.answers.items()
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(endpoint.path)
    ]
    if endpoint.query is not None:
        parameters += _query_parameters(endpoint.query)
    if parameters:
        operation["parameters"] = parameters
    raw = {kind: {"schema": {"type": "string"}} for kind in endpoint.also}
    if endpoint.body is not None:
        content = {"application/json": {"schema": schemas[repr(endpoint.body)]}, **raw}
        operation["requestBody"] = {"required": True, "content": content}
    elif raw:
        operation["responses"]["200"]["content"].update(raw)
    if not endpoint.public:
        operation["security"] = [{}, {"bearer": []}]
    return operation


def _answer(status: int, kind: Any, schemas: Dict[Any, Any]) -> Dict[str, Any]:
    answer: Dict[str, Any] = {"description": _WHAT[status]}
    if kind == AUDIO:
        raw = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
        answer["content"] = {form.content_type.partition(";")[0]: raw for form in FORMATS.values()}
        answer["content"]["text/event-stream"] = {}
        answer["content"]["application/json"] = {"schema": schemas[repr(TimedSpeech)]}
        answer["headers"] = {
            "X-Cache": {"schema": {"enum": ["hit", "miss", "off"]}},
            "X-Voice": {"schema": {"type": "string"}},
            "X-Sample-Rate": {"schema": {"type": "string"}, "description": "Hertz."},
            "X-Audio-Duration-Seconds": {
                "schema": {"type": "string"},
                "description": "Where it is known before the first byte: for one sentence.",
            },
        }
    elif status == 101:
        pass  # there is no body
    elif kind == CAPTIONS:
        raw = {"schema": {"type": "string"}}
        answer["content"] = {content_type: raw for content_type in CAPTION_FORMATS.values()}
    elif kind == ASSET:
        raw = {"schema": {"type": "string"}}
        answer["content"] = {"text/css": raw, "text/javascript": raw}
    elif kind == NOTHING:
        pass
    elif kind in (TEXT, HTML):
        answer["content"] = {kind: {"schema": {"type": "string"}}}
    else:
        answer["content"] = {"application/json": {"schema": schemas[repr(kind)]}}
        if "Health" in repr(kind):
            answer["content"]["application/health+json"] = answer["content"].pop("application/json")
    return answer


def _query_parameters(query: Any) -> List[Dict[str, Any]]:
    parameters = []
    properties = msgspec.json.schema_components([query])[1][query.__name__]["properties"]
    for name, schema in properties.items():
        schema = dict(schema)
        description = schema.pop("description", "")
        variants = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
        if len(variants) == 1:  # an absent parameter is simply absent, there is no null in a URL
            description = description or variants[0].get("description", "")
            schema = {key: value for key, value in variants[0].items() if key != "description"}
        elif "enum" in schema:
            schema = {"enum": [value for value in schema["enum"] if value is not None]}
        schema.pop("default", None)
        parameters.append(
            {"name": name, "in": "query", "schema": schema, "description": description}
        )
    return parameters
