"""The documents say what the code does: their tables, their examples, their links."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple, get_args
from urllib.parse import unquote

import msgspec
import pytest
import yaml

from auto_voice import errors
from auto_voice.audio.formats import FORMATS
from auto_voice.bootstrap import Service, build
from auto_voice.monitoring import metrics
from auto_voice.monitoring.recent_errors import KEPT
from auto_voice.monitoring.status import Status
from auto_voice.monitoring.websocket_metrics import EVENTS
from auto_voice.settings import DEFAULT_VOICE_ALIASES, PREFIX, Settings, load
from auto_voice.text import lexicon, lexicon_entry, lexicon_store
from auto_voice.web import lexicon_api
from auto_voice.web.app import create_app
from auto_voice.web.schemas import VoicesQuery
from auto_voice.web.speech_schemas import SpeechBody
from auto_voice.web.websocket_handler import Message, SessionConfig
from tests.exported import Family, exported
from tests.house.house import ROOT, texts
from tests.integration.serving import AUTOVOICE, BIN, Server, environment, until
from tests.parts import PARTS

API = "docs/api-documentation.md"
CONFIGURATION = "docs/configuration.md"
GUIDE = "docs/monitoring-guide.md"
BASE = "http://localhost:5000"
"""What the documents call the server."""


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


# --- tables ---------------------------------------------------------------------------------------


def tables(path: str) -> Dict[str, List[List[str]]]:
    """The rows of each table (several rows of the same heads are one table), by its heads."""
    found: Dict[str, List[List[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", read(path), re.MULTILINE):
        rows = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
            for line in block.splitlines()
        ]
        found.setdefault(" ".join(rows[0]), []).extend(rows[2:])
    return found


def code(cell: str) -> str:
    """What is in a cell's first backquotes."""
    found = re.search("`([^`]*)`", cell)
    return found.group(1) if found else ""


def codes(cell: str) -> List[str]:
    return re.findall("`([^`]*)`", cell)


def kind(described: Any) -> str:
    """A type with its range, in the documents' words."""
    inspected = msgspec.inspect
    if isinstance(described, inspected.Metadata):
        return kind(described.type)
    if isinstance(described, inspected.UnionType):
        some = [one for one in described.types if not isinstance(one, inspected.NoneType)]
        return ", or ".join(sorted(map(kind, some), reverse=True))
    if isinstance(described, inspected.LiteralType):
        return "one of " + ", ".join(f"`{value}`" for value in sorted(described.values))
    if isinstance(described, (inspected.IntType, inspected.FloatType)):
        name = "integer" if isinstance(described, inspected.IntType) else "number"
        return f"{name}, {number(described.ge)} to {number(described.le)}"
    if isinstance(described, inspected.StrType):
        least, most = described.min_length, described.max_length
        if least is None:
            return "text" if most is None else f"text, at most {most} characters"
        if most is None:
            return f"text, at least {least} character" + ("s" if least > 1 else "")
        return f"text, {least} to {most} characters"
    if isinstance(described, inspected.AnyType):
        return "anything"
    if isinstance(described, inspected.ListType):
        return f"list of at most {described.max_length} texts"
    if isinstance(described, inspected.BoolType):
        return "`true`, `false`"
    assert isinstance(described, inspected.StructType), described
    return 'object `{"id": …}`'


def number(value: Any) -> str:
    return str(int(value)) if value == int(value) else str(value)


def default(value: Any) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if value is msgspec.NODEFAULT:
        return "(required)"
    if value is None:
        return "`null`"
    if isinstance(value, (int, float)):
        return f"`{number(value)}`"
    return f"`{value}`" if value else "empty"


# --- settings -------------------------------------------------------------------------------------


def settings_rows() -> List[str]:
    """The rows of docs/configuration.md, as settings.py has them."""
    described = msgspec.inspect.type_info(Settings)
    assert isinstance(described, msgspec.inspect.StructType)
    rows = []
    for field in described.fields:
        meta = field.type
        assert isinstance(meta, msgspec.inspect.Metadata) and meta.extra_json_schema
        shown = default(field.default)
        if field.name == "voice_aliases":
            shown = "OpenAI's names, [listed here](api-documentation.md#voices)"
        words = meta.extra_json_schema["description"]
        cells = [f"`{PREFIX}{field.name.upper()}`", kind(meta), shown, words]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def test_configuration_lists_every_setting_as_it_is():
    """Variable, range, default and meaning: a changed field is a changed row."""
    listed = [line for line in read(CONFIGURATION).splitlines() if line.startswith("| `AUTOVOICE_")]
    listed = [line for line in listed if line.count("|") == 5]
    assert listed == settings_rows()


def test_every_setting_a_document_names_exists():
    """No document promises a variable that nothing reads."""
    known = {PREFIX + field.name.upper() for field in msgspec.structs.fields(Settings)}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in ("redis_url", "metrics_token")}
    others = {"AUTOVOICE_API_KEY", "AUTOVOICE_SERVICE_HOST"}  # said there to be no settings
    for path in ("native/CMakeLists.txt", "native/include/autovoice.h"):
        others |= set(re.findall(r"\bAUTOVOICE_[A-Z_]*[A-Z]\b", read(path)))
    for path, text in documents():
        named = set(re.findall(r"\bAUTOVOICE_[A-Z_]*[A-Z]\b", text))
        assert named - known - others == set(), path


def test_default_aliases_are_listed():
    """OpenAI's voice names and the voices that speak for them."""
    listed = {code(alias): code(voice) for alias, voice in tables(API)["alias voice"]}
    assert listed == dict(pair.split("=") for pair in DEFAULT_VOICE_ALIASES.split(","))


# --- the API --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service with the stub engine, for the apps of this module."""
    made = build(load({}, engine="stub", engine_workers=1, api_keys="secret"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def endpoints() -> List[Tuple[str, str, str]]:
    """Method, path and need of a key, as docs/api-documentation.md lists them."""
    rows = tables(API)["method path key does"]
    return [(code(method), code(path), key) for method, path, key, _ in rows]


def test_every_route_has_its_row(service, endpoints):
    """What the server answers to is what the document lists."""
    routes = {
        (method, re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule))
        for rule in create_app(service).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in endpoints} == routes
    assert len(endpoints) == len(routes)


@pytest.mark.parametrize("status", ["on", "off"])
@pytest.mark.parametrize("listings", ["on", "off"])
def test_keys_are_wanted_where_the_document_says(service, endpoints, listings, status):
    """The column "key" is what a client without one finds."""
    settings = msgspec.structs.replace(
        service.settings, public_listings=listings, public_status=status
    )
    app = create_app(
        Service(settings, service.synthesizer, service.metrics, service.health, service.lexicons)
    )
    wanted = {
        "yes": True,
        "an administrator's": True,
        "never": False,
        "if listings are closed": listings == "off",
        "unless status is open": status == "off",
    }
    for method, path, key in endpoints:
        answer = app.test_client().open(path, method=method)
        assert (answer.status_code == 401) == wanted[key], path


def test_fields_of_a_request_are_listed_as_they_are_validated():
    """Type, range and default of each field of a request for speech."""
    described = msgspec.inspect.type_info(SpeechBody)
    assert isinstance(described, msgspec.inspect.StructType)
    wanted = [(field.name, kind(field.type), default(field.default)) for field in described.fields]
    rows = tables(API)["field type default meaning"]
    assert [(code(name), words, shown) for name, words, shown, _ in rows] == wanted


def test_fields_of_a_session_are_listed_as_they_are_validated():
    """Type, range and default of each field of a WebSocket's configuration."""
    described = msgspec.inspect.type_info(SessionConfig)
    assert isinstance(described, msgspec.inspect.StructType)
    wanted = [(field.name, kind(field.type), default(field.default)) for field in described.fields]
    rows = tables(API)["field of `session.config` type default meaning"]
    assert [(code(name), words, shown) for name, words, shown, _ in rows] == wanted


def test_messages_of_a_session_are_listed():
    """All that a client may send, and all that the metrics know to come back."""
    rows = tables(API)
    sent = {code(row[0]).split(" ")[0] for row in rows["from the client does"]}
    assert sent == {kind.__struct_config__.tag for kind in get_args(Message)}
    told = {code(row[0]).split(" ")[0] for row in rows["from the server says"] if "`" in row[0]}
    assert told == set(EVENTS["out"]) - {"audio", "pong", "other"}


def test_filters_of_the_voices_are_listed_as_they_are_validated():
    """Type of each query parameter."""
    described = msgspec.inspect.type_info(VoicesQuery)
    assert isinstance(described, msgspec.inspect.StructType)
    wanted = [(field.name, kind(field.type)) for field in described.fields]
    rows = tables(API)["parameter type finds"]
    assert [(code(name), words) for name, words, _ in rows] == wanted


def test_formats_are_listed_as_they_are():
    """Content type and sample rates of each format."""
    heads = "`response_format` `Content-Type` is sample rates in hertz without `sample_rate`"
    for name, content_type, _, rates, without in tables(API)[heads]:
        form = FORMATS[code(name)]
        assert code(content_type) == form.content_type
        assert rates == (", ".join(map(str, form.sample_rates_hz)) or "8000 to 48000")
        rate = form.sample_rate_for(22050)
        words = {22050: "the voice's own", 24000: "the next one above the voice's own"}[rate]
        assert without == (str(form.default_hz) if form.default_hz else words)
    assert {code(row[0]) for row in tables(API)[heads]} == set(FORMATS)


def test_errors_are_listed_as_they_are():
    """Status, code, type and whether to retry, of every error that HTTP can answer with."""
    wanted = {
        (str(kind.status), kind.code, kind.type, "yes" if kind.retryable else "no")
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.AutoVoiceError)
        and kind is not errors.SettingsError  # at the start only
    }
    rows = tables(API)["status code type retry means"]
    assert {(row[0], code(row[1]), code(row[2]), row[3]) for row in rows} == wanted
    assert len(rows) == len(wanted)


# --- monitoring -----------------------------------------------------------------------------------

VARIED = {"check", "code", "driver", "engine", "gpu", "method", "metric", "model", "python"}
VARIED |= {"revision", "route", "slot", "uuid", "version"}
"""Labels whose values are not the same on every server."""


def own_families() -> Dict[str, Family]:
    found = exported().families
    return {name: family for name, family in found.items() if name.startswith("autovoice_")}


def test_metrics_are_listed_as_they_are_exported():
    """Name, type and labels of every series of AutoVoice's own, no more and no less."""
    rows = tables(GUIDE)["series type labels meaning"]
    listed = [(code(row[0]), Family(row[1], frozenset(codes(row[2])))) for row in rows]
    assert dict(listed) == own_families()
    assert len(rows) == len(own_families())
    assert all(row[3] for row in rows)


def test_values_of_labels_are_listed_as_they_are_exported():
    """Whoever writes an alert finds every value that a closed label can take."""
    seen = {}
    for name, family in own_families().items():
        sample = exported().samples.get(name) or exported().samples.get(f"{name}_count", {})
        for label in family.labels - VARIED:
            seen[label, name] = sample[label]
    listed = {}
    for label, names, values in tables(GUIDE)["label of values"]:
        for name in codes(names):
            assert (code(label), name) not in listed, "listed twice"
            listed[code(label), name] = set(codes(values))
    assert listed == seen
    assert f"`{metrics.UNMATCHED}`" in read(GUIDE)


def test_every_series_a_document_names_exists():
    """No document sends an operator to a series that is not there."""
    known = {*exported().families, *exported().samples}
    for path, text in documents():
        named = set(re.findall(r"`(autovoice_[a-z_]*[a-z])\b", text))
        assert named - known == set(), path


def test_alerts_are_listed_as_they_are():
    """Severity and patience of each, and a link to what to do."""
    wanted = {}
    for path in ROOT.glob("config/alerts/*.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                link = f"[{rule['alert']}](runbook.md#{rule['alert'].lower()})"
                wanted[link] = (rule["labels"]["severity"], rule.get("for", ""))
    rows = tables(GUIDE)["alert severity fires when for"]
    assert {row[0]: (row[1], row[3]) for row in rows} == wanted
    assert len(rows) == len(wanted)


def test_recorded_series_are_listed():
    """Each kind of them, by one of its windows."""
    rules = yaml.safe_load(read("config/rules/slis.yml"))
    recorded = {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    listed = {code(row[0]) for row in tables(GUIDE)["recorded is"]}
    assert listed <= recorded
    stems = {name.rpartition(":")[0] for name in recorded}
    assert {name.rpartition(":")[0] for name in listed} == stems


def test_panels_are_listed_as_they_are():
    """What each shows, in the words that it has itself, in the order of the dashboards."""
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in ROOT.glob("config/grafana/dashboards/*.json")
    ]
    text = read(GUIDE)
    found.sort(key=lambda board: text.index(f"`/d/{board['uid']}`"))
    panels = [panel for board in found for panel in board["panels"] if panel["type"] != "row"]
    wanted = [[panel["title"], panel["description"]] for panel in panels]
    assert tables(GUIDE)["panel shows"] == wanted


def test_what_tells_alertmanager_is_listed():
    """Every variable that the script reads, and none that it does not."""
    script = read("config/alertmanager.sh")
    read_there = set(re.findall(r"ALERT_\$1_[A-Z]+|ALERT_SMTP_[A-Z]+", script))
    both = {name.replace("$1", kind) for name in read_there for kind in ("PAGE", "TICKET")}
    rows = tables(GUIDE)["variable is"]
    assert {name for row in rows for name in codes(row[0])} == both


def test_fields_of_the_status_are_listed():
    """Each once, in the order in which they come."""
    listed = [name for row in tables(API)["field tells"] for name in codes(row[0])]
    assert listed == [field.name for field in msgspec.structs.fields(Status)]
    assert f"The last {KEPT} of the server's own errors" in read(API)


# --- examples -------------------------------------------------------------------------------------


class Example(NamedTuple):
    language: str
    text: str


def examples(path: str, *languages: str) -> List[Any]:
    """The code blocks of a document, each as a test's parameter."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", read(path), re.MULTILINE | re.DOTALL)
    return [
        pytest.param(
            Example(language, text),
            id=f"{Path(path).stem}-{index}-{language}",
            marks=[pytest.mark.needs("curl")] * ("curl" in text)
            + [pytest.mark.slow] * text.startswith("autovoice"),
        )
        for index, (language, text) in enumerate(found)
        if language in languages
        # `make` sets a .venv up; that its targets exist is tests/house's to say.
        and not text.startswith("make ")
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it comes, on a free port."""
    command = [AUTOVOICE, "serve", "--port", "0"]
    made = Server(tmp_path_factory.mktemp("server"), {}, command).wait_until_ready()
    yield made
    made.stop()


def aimed(example: Example, server: Server) -> str:
    """The example, for the server under test."""
    text = example.text.replace(BASE, server.base)
    return text.replace(BASE.replace("http", "ws"), server.base.replace("http", "ws"))


def run(command: List[str], folder: Path) -> str:
    """Run an example in its folder, as somebody with the `autovoice` command would."""
    env = environment({})
    env.update(PATH=os.pathsep.join([str(BIN), env["PATH"]]), NO_PROXY="127.0.0.1")
    done = subprocess.run(
        command,
        cwd=str(folder),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    output = done.stdout.decode(errors="replace")
    assert done.returncode == 0, output
    return output


def assert_audio(path: Path) -> None:
    """The file is audio of the format that its ending says."""
    data = path.read_bytes()
    begins = {"mp3": b"\xff", "wav": b"RIFF", "flac": b"fLaC", "opus": b"OggS"}
    assert data.startswith(begins[path.suffix[1:]]), path
    assert len(data) > 2000, path


def written(example: Example) -> List[str]:
    """The audio files that an example says it writes."""
    return sorted(set(re.findall(r"[\w-]+\.(?:mp3|wav|flac|opus)\b", example.text)))


SHOWN = ('"voices"', '"sentences"', " --> ")
"""What is in an answer that an example shows instead of writing a file."""


@pytest.mark.slow
@pytest.mark.parametrize("example", examples("README.md", "sh") + examples(API, "sh"))
def test_shell_examples_work(example, server, tmp_path):
    """curl and the command line do what the document shows, as it is typed."""
    output = run(["sh", "-e", "-c", aimed(example, server)], tmp_path)
    for name in written(example):
        assert_audio(tmp_path / name)
    assert written(example) or any(shown in output for shown in SHOWN)


@pytest.mark.parametrize("example", examples("docs/lexicons.md", "sh"))
def test_lexicon_examples_work(example, server, tmp_path):
    """What they show is saved where the server has it."""
    output = run(["sh", "-e", "-c", aimed(example, server)], tmp_path)
    assert "error" not in output
    name = {"Siobhan": "names", "tomato": "tech", "theatre": "words"}[
        re.findall("Siobhan|tomato|theatre", example.text)[0]
    ]
    assert server.get(f"/v1/lexicons/{name}").json()["entries"]


def test_limits_of_lexicons_are_right():
    """The numbers in docs/lexicons.md."""
    limits = " ".join(read("docs/lexicons.md").partition("## Limits")[2].split())
    for number, what in (
        (lexicon_store.MAX_LEXICONS, "{} lexicons"),
        (lexicon_store.MAX_BYTES >> 20, "together {} MiB"),
        (lexicon.MAX_ENTRIES, "{:,} entries"),
        (lexicon_api.BODY_LIMIT_BYTES >> 20, "{} MiB"),
        (lexicon.MAX_PER_WORD, "{} entries for one word"),
        (lexicon_entry.MAX_WORD_CHARS, "up to {} characters"),
        (lexicon_entry.MAX_SAY_CHARS, "`say` {}"),
        (lexicon_entry.MAX_IPA_CHARS, "`ipa` {}"),
    ):
        assert what.format(number) in limits
    assert {
        code(row[0]) for row in tables("docs/lexicons.md")["part of an entry default meaning"]
    } == {field.name for field in msgspec.structs.fields(lexicon_entry.Entry)}


@pytest.mark.slow
@pytest.mark.parametrize("example", examples("README.md", "python") + examples(API, "python"))
def test_python_examples_work(example, server, tmp_path):
    """A script copied from a document speaks."""
    program = tmp_path / "example.py"
    program.write_text(aimed(example, server), encoding="utf-8")
    run([sys.executable, str(program)], tmp_path)
    assert written(example)
    for name in written(example):
        assert_audio(tmp_path / name)


@pytest.mark.slow
@pytest.mark.needs("nodejs")
@pytest.mark.parametrize("example", examples(API, "javascript"))
def test_javascript_examples_work(example, server, tmp_path):
    """A module copied from a document speaks."""
    program = tmp_path / "example.mjs"
    program.write_text(aimed(example, server), encoding="utf-8")
    node = [str(PARTS["nodejs"].path())]
    if "new WebSocket" in example.text:
        node.append("--experimental-websocket")  # before version 22; later ones ignore it
        there = [*node, "-e", "process.exit(typeof WebSocket === 'undefined' ? 1 : 0)"]
        if subprocess.run(there, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("this Node has no WebSocket of its own; version 20.10 and newer have")
    run([*node, str(program)], tmp_path)
    for name in written(example):
        assert_audio(tmp_path / name)


def test_the_readme_shows_how_to_begin():
    """The first screen has the command, the sound and the client."""
    first = "\n".join(read("README.md").splitlines()[:45])
    for what in ("make run", 'make say TEXT="Hello, world."', "-o hello.mp3", "from openai import"):
        assert what in first, what


@pytest.mark.parametrize("name, voice", [tuple(row) for row in tables(API)["name voice"]])
def test_names_stand_for_the_voices_in_the_table(name, voice, server):
    """A name gives the voice that the document says."""
    found = server.get(f"/v1/audio/voices/{code(name)}").json()
    assert found["id"] == code(voice)


def test_the_numbers_of_voices_are_right(server):
    """What README and API say of the voices, counted."""
    plain = server.get("/v1/audio/voices").json()["voices"]
    everything = server.get("/v1/audio/voices?variants=true")
    count = len(everything.json()["voices"])
    assert len({tag.split("-")[0] for voice in plain for tag in voice["languages"]}) > 100
    assert {voice["gender"] for voice in plain} == {"male"}
    assert round(len(plain), -1) == 140
    assert round(count / len(plain) - 1, -1) == 100
    assert round(count, -3) == 14_000 and len(everything.content) > 2_000_000
    assert set(plain[0]) == {code(row[0]) for row in tables(API)["field meaning"]}


def test_headers_are_listed(server):
    """An answer sent whole has every header of the table, and a streamed one those that it can."""
    rows = {code(header): meaning for header, meaning in tables(API)["header value"]}
    whole, streamed = server.speak("One."), server.speak("One. Two.")
    assert [name for name in rows if name not in whole.headers] == []
    missing = [name for name in rows if name not in streamed.headers]
    assert missing == [name for name in rows if "only where the answer is sent whole" in rows[name]]


def test_limits_are_the_defaults():
    """The numbers in the table of limits."""
    text = "\n".join(" | ".join(row) for row in tables(API)["limit default past it"])
    settings = Settings()
    assert f"characters of `input` | {settings.max_input_chars} |" in text
    assert f"({settings.body_limit_bytes:,})" in text
    assert f"served or waiting | {settings.max_requests} |" in text
    assert f"until the first audio | {settings.start_deadline_s:.0f} |" in text
    assert f"seconds in all | {settings.request_deadline_s:.0f} |" in text


# --- exit status ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_exit_status_is_what_the_document_says(tmp_path):
    """0, 1 and 2 mean the same everywhere; --help and the document agree on the list."""
    listed = [row[0] for row in tables(CONFIGURATION)["status means"]]
    shown = run([AUTOVOICE, "--help"], tmp_path)
    epilog = shown[shown.index("Exit status:") :]
    assert re.findall(r"\b(\d+) [a-z]", epilog) == listed == ["0", "1", "2", "130"]

    def status(*arguments: str, **settings: Any) -> int:
        command = [AUTOVOICE, *arguments]
        return subprocess.call(command, env=environment(settings), stderr=subprocess.DEVNULL)

    nowhere = str(tmp_path / "missing" / "a.wav")
    assert status("bench", "--url", "http://127.0.0.1:1", "-n", "1", "-c", "1") == 1
    assert status("say", "x", "--output", nowhere, engine="stub") == 2
    assert status("say", "x", "--voice", "nobody", "--output", "-", engine="stub") == 2
    assert status("serve", "--port", "no") == 2
    assert status("serve", port="99999") == 2


@pytest.mark.slow
def test_an_interrupted_command_says_so(tmp_path):
    """Ctrl-C ends `say` with 130, as it does with other commands of a shell."""
    command = [AUTOVOICE, "say", "--output", str(tmp_path / "long.wav")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment({})
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"A sentence of many. " * 200_000)
        process.stdin.close()
        until(lambda: (tmp_path / "long.wav").exists(), "it speaks")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


@pytest.mark.slow
def test_a_cache_folder_that_cannot_be_used_is_a_wrong_setting(tmp_path):
    """The server does not start, and says 2."""
    (tmp_path / "file").write_text("not a folder")
    command = [AUTOVOICE, "serve", "--port", "0"]
    env = environment({"cache_dir": tmp_path / "file" / "cache"})
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 2, done.stdout


# --- links ----------------------------------------------------------------------------------------


def documents() -> List[Tuple[Path, str]]:
    """Every Markdown file of the repository."""
    return [(path, text) for path, text in texts() if path.suffix == ".md"]


def prose(text: str) -> str:
    """Without code, in which nothing is a link or a heading."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "`code`", text)


def anchors(text: str) -> List[str]:
    """The anchors that GitHub makes of the headings."""
    found: List[str] = []
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.append(f"{anchor}-{found.count(anchor)}" if anchor in found else anchor)
    return found


@pytest.mark.parametrize("path", [path for path, _ in documents()], ids=str)
def test_links_lead_somewhere(path):
    """Every link within the repository finds its file and its heading."""
    text = read(str(path))
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    targets += re.findall(r"^\[[^\]]+\]: +(\S+)", prose(text), re.MULTILINE)
    broken = []
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (ROOT / path).parent / name if name else ROOT / path
        if not file.exists():
            broken.append(target)
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
            broken.append(target)
    assert broken == []
