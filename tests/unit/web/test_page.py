"""A page's policy lets its own code work, and nothing else."""

import base64
import hashlib
import re

import pytest

from auto_voice.web.page import sealed


def policy(html):
    header = dict(sealed(html).headers)["Content-Security-Policy"]
    directives = (part.split() for part in header.split(";"))
    return {name: values for name, *values in directives}


def allowed(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def test_what_is_written_into_the_page_is_allowed_by_its_hash():
    found = policy("<style>a {\n}</style><p>é</p><script>one('é')</script><script>two()</script>")
    assert found["style-src"] == [allowed("a {\n}")]
    assert found["script-src"] == [allowed("one('é')"), allowed("two()")]


def test_nothing_else_is_allowed():
    """No other host, no code from elsewhere on the page, no frame around it."""
    found = policy("<p>a</p>")
    assert found["default-src"] == ["'none'"]
    assert found["connect-src"] == ["'self'"]
    assert found["frame-ancestors"] == found["base-uri"] == found["form-action"] == ["'none'"]
    assert found["style-src"] == found["script-src"] == []
    assert "unsafe" not in repr(found)


def test_the_page_is_sent_as_it_is():
    reply = sealed("<p>é</p>")
    headers = dict(reply.headers)
    assert reply.body == "<p>é</p>".encode()
    assert int(headers["Content-Length"]) == len(reply.body)
    assert headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.fixture(params=["/status", "/docs"])
def page(request, client):
    answer = client.get(request.param)
    assert "Content-Security-Policy" in answer.headers
    return answer


def test_a_page_has_no_code_that_its_policy_forbids(page):
    """No style and no handler in an attribute: no hash could allow those."""
    markup = re.sub(r"<(style|script)>.*?</\1>", "", page.text, flags=re.DOTALL)
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)\s*=", markup)
    assert not re.search(r"<(?:style|script)\b", markup)
    assert page.text.count("<script>") == page.text.count("<style>") == 1


def test_a_page_never_writes_data_as_markup(page):
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in page.text


def test_a_page_needs_nothing_from_elsewhere(page):
    """Its only foreign address is the name of SVG's language; the other is the server's own."""
    known = {"http://www.w3.org/2000/svg", "http://localhost/v1/audio/speech"}
    assert set(re.findall(r"\w+://[^\s\"'`<%]+", page.text)) <= known
    assert not re.search(r"@import|url\(", page.text)
