"""Clients that other people wrote: Node's own WebSocket, and a browser's."""

import base64
import json
import subprocess

import pytest

from tests.integration.browser import Browser
from tests.integration.serving import TEXT
from tests.integration.talking import STREAM
from tests.parts import PARTS

CONVERSATION = """
(url, protocols, text) => new Promise((resolve, reject) => {
  const socket = new WebSocket(url, protocols);
  const seen = { bytes: 0, events: [], cancelled: 0 };
  let interrupted = false;
  socket.binaryType = "arraybuffer";
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onerror = () => reject(new Error("the connection failed"));
  socket.onopen = () => {
    seen.protocol = socket.protocol;
    send({ type: "session.config", timestamps: "word" });
    for (const word of text.split(" ")) send({ type: "input.text", text: word + " " });
    send({ type: "input.done" });
  };
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) {
      if (!interrupted) seen.bytes += data.byteLength;
      return;
    }
    const event = JSON.parse(data);
    seen.events.push(event);
    if (event.type !== "audio.done") return;
    if (!interrupted) {
      interrupted = true;
      send({ type: "input.text", text: "This will be interrupted, since nobody" });
      send({ type: "input.cancel" });
    } else {
      seen.cancelled += event.cancelled;
      send({ type: "session.close" });
    }
  };
  socket.onclose = ({ code, wasClean }) => resolve({ ...seen, code, wasClean });
})
"""


def assert_heard(seen):
    """A whole conversation: an utterance, an interruption, a proper end."""
    assert seen["code"] == 1000 and seen["wasClean"]
    events = seen["events"]
    starts = [event for event in events if event["type"] == "audio.start"]
    assert " ".join(start["text"] for start in starts) == TEXT
    words = [w for e in events if e["type"] == "audio.timestamps" for w in e["words"]]
    assert [TEXT[word["char_start"] : word["char_end"]] for word in words] == [
        word["word"] for word in words
    ]
    done = [event for event in events if event["type"] == "audio.done"]
    assert seen["bytes"] == pytest.approx(done[0]["duration_ms"] * 48, abs=48)
    assert seen["cancelled"] == 1
    assert events[-1]["type"] == "session.done"


@pytest.mark.needs("nodejs")
def test_nodes_own_client(server, tmp_path):
    """A client in another language, from another hand."""
    node = str(PARTS["nodejs"].path())
    flags = ["--experimental-websocket"]  # before version 22; later ones ignore it

    def run(script):
        return subprocess.run(
            [node, *flags, "--no-warnings", "-e", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )

    if run("process.exit(typeof WebSocket === 'undefined' ? 1 : 0)").returncode:
        pytest.skip("this Node has no WebSocket of its own; version 20.10 and newer have")
    url = f"ws://127.0.0.1:{server.port}{STREAM}"
    call = f"({CONVERSATION})({json.dumps(url)}, ['autovoice'], {json.dumps(TEXT)})"
    done = run(f"{call}.then((seen) => console.log(JSON.stringify(seen)))")
    assert done.returncode == 0, done.stdout.decode()
    seen = json.loads(done.stdout)
    assert seen["protocol"] == "autovoice"
    assert_heard(seen)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.mark.needs("chromium")
def test_a_browsers_own_client(browser, start):
    """It cannot set headers, so the key comes as a subprotocol; and it insists on order."""
    server = start(api_keys="open-sesame-123")
    browser.open(server.base + "/openapi.json")
    key = "key." + base64.urlsafe_b64encode(b"open-sesame-123").decode().rstrip("=")
    url = f"ws://127.0.0.1:{server.port}{STREAM}"
    arguments = ", ".join(map(json.dumps, (url, ["autovoice", key], TEXT)))
    seen = browser.evaluate(f"({CONVERSATION})({arguments})")
    assert seen["protocol"] == "autovoice"
    assert_heard(seen)
    assert "open-sesame-123" not in server.output() and key not in server.output()


@pytest.mark.needs("chromium")
def test_a_page_from_elsewhere_is_refused_by_a_server_without_keys(browser, server, stub):
    """What would let any page use a server that only its visitor can reach."""
    browser.open(stub.base + "/openapi.json")
    url = f"ws://127.0.0.1:{server.port}{STREAM}"
    opened = browser.evaluate(
        "new Promise((resolve) => {"
        f"  const socket = new WebSocket({json.dumps(url)});"
        "  socket.onopen = () => resolve('opened');"
        "  socket.onerror = () => resolve('refused');"
        "})"
    )
    assert opened == "refused"
