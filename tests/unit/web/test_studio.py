"""The page at / and its files: what a browser may keep, and what may run in it."""

import re
from pathlib import Path

import pytest

from auto_voice.web import studio

FOLDER = Path(studio.__file__).parent / "static" / "studio"
NAMES = sorted(path.name for path in FOLDER.iterdir())


@pytest.fixture
def page(client):
    return client.get("/")


def test_the_policy_allows_its_own_files_only(page):
    """And no script may make markup out of text: what somebody types stays text."""
    policy = page.headers["Content-Security-Policy"]
    directives = {name: values for name, *values in map(str.split, policy.split(";"))}
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert directives["default-src"] == directives["trusted-types"] == ["'none'"]
    assert directives["require-trusted-types-for"] == ["'script'"]


def test_the_page_has_no_code_in_it(page):
    """Its policy would forbid that."""
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)\s*=", page.text)
    assert not re.search(r"<style|<script(?! type=\"module\" src=)", page.text)


def test_the_page_and_its_files_need_nothing_from_elsewhere(page):
    """Their only foreign address is the name of SVG's language."""
    texts = [page.text, *(path.read_text(encoding="utf-8") for path in FOLDER.iterdir())]
    for text in texts:
        assert set(re.findall(r"\w+://[^\s\"'`<%)]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_knows_the_limits_that_are_set(app_with):
    page = app_with(max_input_chars=1234, default_voice="nova").get("/").text
    assert 'data-limit="1234"' in page and 'data-voice="nova"' in page


def test_every_file_that_is_asked_for_is_there(page, client):
    """By the page, by a script, with the type that browsers insist on."""
    asked = set(re.findall(r"studio/([\w.]+)", page.text))
    for path in FOLDER.glob("*.js"):
        asked |= set(re.findall(r'from "\./([\w.]+)"', path.read_text(encoding="utf-8")))
    assert asked == set(NAMES), "a file is missing, or nobody needs it"
    for name in asked:
        answer = client.get(f"/studio/{name}")
        assert answer.data == (FOLDER / name).read_bytes()
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        assert answer.content_type == f"{kind}; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_has_not_changed_is_not_sent_again(client):
    """Each has its own ETag; a proxy may have weakened it."""
    tags = {name: client.get(f"/studio/{name}").headers["ETag"] for name in NAMES}
    assert len(set(tags.values())) == len(NAMES)
    for name, tag in tags.items():
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = client.get(f"/studio/{name}", headers={"If-None-Match": known})
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == tag
        assert client.get(f"/studio/{name}", headers={"If-None-Match": '"old"'}).status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "..%2fstudio.py", "%2e%2e/studio.py", "main.js/x"])
def test_there_is_nothing_else(client, name):
    """No path leads out of the folder, as none leads into it: files are known by name."""
    answer = client.get(f"/studio/{name}")
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


def test_scripts_never_make_markup_out_of_text():
    """Where a browser does not hold them to it, either."""
    for path in FOLDER.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in text, path.name
