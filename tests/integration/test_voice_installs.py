"""Voices come into a folder that several processes use, through whatever the network is."""

import contextlib
import json
import os
import pty
import resource
import signal
import ssl
import subprocess
import sys
import time

import pytest

from auto_voice.errors import DownloadFailed, DownloadRefused
from auto_voice.voices.remote import Remote
from auto_voice.voices.store import ASIDE
from tests.integration.serving import AUTOVOICE, SPEECH, environment, until
from tests.unit.voices.mirror import Mirror, archive, piper_model, redirect, status

ADMIN = {"Authorization": "Bearer boss"}


@pytest.fixture
def mirror():
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "voices"


def slowly(pieces=20, pause_s=0.1):
    """A file that takes its time, with what a later request needs to go on."""

    def answer(handler, data):
        wanted = handler.headers.get("Range")
        start = int(wanted[len("bytes=") : -1]) if wanted else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.send_header("ETag", '"one"')
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        step = len(data) // pieces
        try:
            for at in range(start, len(data), step):
                handler.wfile.write(data[at : at + step])
                time.sleep(pause_s)
        except OSError:
            handler.close_connection = True

    return answer


def command(folder, url, *arguments, **options):
    env = environment({"voice_dir": folder, "voice_index": url, "download_timeout_s": 5})
    env["NO_PROXY"] = env["no_proxy"] = "127.0.0.1"
    env.update(options.pop("env", {}))
    return subprocess.Popen(
        [AUTOVOICE, "voices", *arguments],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )


def finished(process):
    output = process.communicate(timeout=60)[0].decode()
    return process.returncode, output


def shown(folder):
    return sorted(path.name for path in folder.glob("*"))


@pytest.mark.slow
def test_two_processes_that_race_install_one_voice(mirror, folder):
    url = mirror.list(mirror.voice("a", piper_model(2_000_000)))
    mirror.always["a.onnx"] = slowly()
    both = [command(folder, url, "install", "a") for _ in range(2)]
    for process in both:
        assert finished(process)[0] == 0
    assert [one.path for one in mirror.seen].count("/a.onnx") == 1
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]
    assert [path.name for path in (folder / ASIDE).rglob("*") if path.is_file()] == ["a.json"]


@pytest.mark.slow
def test_what_a_killed_process_left_is_taken_up(mirror, folder):
    url = mirror.list(mirror.voice("a", piper_model(2_000_000)))
    mirror.faults["a.onnx"] = [slowly(pause_s=0.3)]
    killed = command(folder, url, "install", "a")
    part = folder / ASIDE / "unfinished" / "a" / "a.onnx"
    until(lambda: part.exists() and part.stat().st_size > 300_000, "some of it has arrived")
    killed.send_signal(signal.SIGKILL)
    finished(killed)
    assert shown(folder) == [ASIDE]
    mirror.seen.clear()
    mirror.always["a.onnx"] = slowly(pause_s=0)
    assert finished(command(folder, url, "install", "a"))[0] == 0
    (asked,) = [one.range for one in mirror.seen if one.path == "/a.onnx"]
    assert int(asked[len("bytes=") : -1]) > 300_000
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]
    assert not list((folder / ASIDE / "unfinished").iterdir())


@pytest.mark.parametrize("at", ["model", "record"])
def test_a_process_killed_between_two_renames_leaves_no_half_voice(mirror, folder, at):
    """The model is in its place, the config is not: no voice, and the next try takes the model."""
    url = mirror.list(mirror.voice("a"))
    script = (
        "import os, sys\n"
        "from auto_voice.cli import main\n"
        "replace = os.replace\n"
        "def once(source, target):\n"
        "    replace(source, target)\n"
        f"    if str(target).endswith({'a.onnx' if at == 'model' else 'records/a.json'!r}):\n"
        "        os._exit(9)\n"
        "os.replace = once\n"
        "sys.argv = ['autovoice', 'voices', 'install', 'a']\n"
        "main()\n"
    )
    env = environment({"voice_dir": folder, "voice_index": url})
    env["NO_PROXY"] = "127.0.0.1"
    done = subprocess.run([sys.executable, "-c", script], env=env, check=False)
    assert done.returncode == 9
    assert shown(folder) == [ASIDE, "a.onnx"]
    mirror.seen.clear()
    assert finished(command(folder, url, "install", "a"))[0] == 0
    assert shown(folder) == [ASIDE, "a.onnx", "a.onnx.json"]
    assert "/a.onnx" not in [one.path for one in mirror.seen]


def test_a_disk_that_takes_no_more_is_told_and_left_clean(mirror, folder):
    """A limit on files' sizes stands for the disk: writing fails in the middle of the model."""
    url = mirror.list(mirror.voice("a"))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    code, output = finished(command(folder, url, "install", "a", preexec_fn=limit))
    assert code == 1 and "disk is full" in output
    assert shown(folder) == [ASIDE]
    left = [path for path in (folder / ASIDE).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) < 10_000
    assert finished(command(folder, url, "install", "a"))[0] == 0


def test_an_environments_proxy_is_used(mirror, folder):
    """As behind a company's proxy: the host's name is the proxy's to look up."""
    mirror.list(mirror.voice("a"))
    url = "http://voices.invalid/autovoice-voices.json"
    code, output = finished(
        command(folder, url, "install", "a", env={"http_proxy": mirror.base, "NO_PROXY": ""})
    )
    assert code == 0, output
    assert {one.path for one in mirror.seen} == {
        f"http://voices.invalid/{name}"
        for name in ("autovoice-voices.json", "a.onnx", "a.onnx.json")
    }


def test_a_folder_is_enough_without_any_network(mirror, folder, tmp_path):
    """A copy of voices on a stick: no list, no server."""
    mirror.voice("de_DE-a-medium")
    stick = tmp_path / "stick"
    stick.mkdir()
    for name, data in mirror.files.items():
        (stick / name).write_bytes(data)
    code, output = finished(command(folder, str(stick), "install", "de_DE-a-medium"))
    assert code == 0, output
    assert mirror.seen == []
    code, output = finished(command(folder, str(stick), "verify"))
    assert (code, output) == (0, "de_DE-a-medium: as it was installed\n")


def test_a_terminal_shows_how_far_it_is(mirror, folder):
    url = mirror.list(mirror.voice("a", piper_model(2_000_000)))
    mirror.always["a.onnx"] = slowly()
    ours, theirs = pty.openpty()
    env = environment({"voice_dir": folder, "voice_index": url})
    env["NO_PROXY"] = "127.0.0.1"
    process = subprocess.Popen(
        [AUTOVOICE, "voices", "install", "a"], env=env, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while True:
            screen += os.read(ours, 4096)
    assert process.wait() == 0
    text = screen.decode()
    assert "MB of 2.0 MB" in text and "100%" in text and "a is installed" in text


@pytest.mark.needs("openssl")
def test_https_never_leads_to_http(mirror, tmp_path, monkeypatch):
    """Whoever could change a redirect could change the voice."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secure = Mirror()
    secure.server.socket = context.wrap_socket(secure.server.socket, server_side=True)
    base = secure.base.replace("http:", "https:")
    secure.files["a"] = mirror.files["a"] = b"data"
    secure.always["b"] = redirect("/a")
    secure.always["c"] = redirect(mirror.base + "a")

    def get(name):
        with Remote(5.0).get(base + name) as answer:
            return b"".join(answer.chunks)

    try:
        with pytest.raises(DownloadFailed, match="certificate"):
            get("a")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert get("a") == get("b") == b"data"
        with pytest.raises(DownloadRefused, match="away from https"):
            get("c")
    finally:
        secure.close()
    assert mirror.seen == []


# --- under a running server -----------------------------------------------------------------------


def spoken(mirror, voice="tones"):
    """A voice that the stub engine speaks."""
    return mirror.folder_voice(
        voice,
        archive({"t/model.onnx": piper_model(1000)}),
        engine="stub",
        language="nl",
        manifest={"kind": "tones", "files": {"model": "model.onnx"}, "sample_rate": 24000},
    )


def voices_of(server):
    return [voice["id"] for voice in server.get("/v1/audio/voices").json()["voices"]]


@pytest.mark.slow
def test_a_voice_speaks_as_soon_as_it_is_installed(mirror, folder, start):
    """No restart, and no other request is held up."""
    url = mirror.list(spoken(mirror))
    server = start(engine="stub", voice_dir=folder, voice_index=url, admin_keys="boss")
    assert "tones" not in voices_of(server)
    body = {"voice": "tones"}
    answer = server.session.post(f"{server.base}/v1/voices/installs", json=body, headers=ADMIN)
    assert answer.status_code == 202
    until(lambda: "tones" in voices_of(server), "the voice is listed")
    speech = {"input": "one two", "voice": "tones", "response_format": "wav"}
    said = server.session.post(server.base + SPEECH, json=speech)
    assert said.status_code == 200 and said.headers["X-Sample-Rate"] == "24000"
    server.session.delete(f"{server.base}/v1/voices/installed/tones", headers=ADMIN)
    until(lambda: "tones" not in voices_of(server), "the voice is gone")


@pytest.mark.slow
def test_progress_is_told_while_it_happens(mirror, folder, start):
    url = mirror.list(mirror.voice("a", piper_model(2_000_000)))
    mirror.always["a.onnx"] = slowly(pause_s=0.1)
    server = start(engine="stub", voice_dir=folder, voice_index=url, admin_keys="boss")
    post = server.session.post(
        f"{server.base}/v1/voices/installs", json={"voice": "a"}, headers=ADMIN
    )
    events = []
    with server.session.get(
        server.base + post.headers["Location"],
        headers={**ADMIN, "Accept": "text/event-stream"},
        stream=True,
    ) as answer:
        for line in answer.iter_lines():
            if line:
                events.append((time.monotonic(), json.loads(line[6:])))
    assert len(events) > 4 and events[-1][1]["state"] == "installed"
    assert events[-1][0] - events[0][0] > 1.0
    assert len({event["done_bytes"] for _, event in events}) > 3


@pytest.mark.slow
def test_installations_are_counted_by_their_ends_and_bytes_once(mirror, folder, start):
    """What an earlier try had fetched already does not come over the network again."""
    offer = mirror.voice("a", piper_model(2_000_000))
    server = start(
        engine="stub", voice_dir=folder, voice_index=mirror.list(offer), admin_keys="boss"
    )

    def install(voice):
        body = {"voice": voice}
        return server.request("POST", "/v1/voices/installs", json=body, headers=ADMIN).json()["id"]

    def count(outcome):
        return server.metric("autovoice_voice_installs_total", outcome=outcome)

    def fetched():
        return server.metric("autovoice_voice_download_bytes_total")

    assert (fetched(), server.metric("autovoice_voice_installs_in_progress")) == (0, 0)
    mirror.always["a.onnx"] = slowly(pause_s=0.2)
    begun = install("a")
    until(lambda: fetched() > 500_000, "some of it has arrived")
    assert server.metric("autovoice_voice_installs_in_progress") == 1
    server.request("DELETE", f"/v1/voices/installs/{begun}", headers=ADMIN)
    until(lambda: count("cancelled") == 1, "it is cancelled")
    assert server.metric("autovoice_voice_installs_in_progress") == 0
    mirror.always["a.onnx"] = slowly(pause_s=0)
    install("a")
    until(lambda: count("installed") == 1, "it is installed")
    size = sum((folder / name).stat().st_size for name in ("a.onnx", "a.onnx.json"))
    # But for the piece that had come, and was not written, when it was cancelled.
    assert size <= fetched() < size + 300_000
    install("nobody")
    until(lambda: count("failed") == 1, "there is no such voice")
    assert (count("installed"), count("cancelled")) == (1, 1)


@pytest.mark.slow
def test_wanted_voices_are_installed_while_the_server_serves(mirror, folder, start):
    """A list that cannot be read is a warning, and tried again."""
    url = mirror.list(spoken(mirror))
    mirror.always["autovoice-voices.json"] = status(503)
    server = start(
        engine="stub", voice_dir=folder, voice_index=url, voices="tones", admin_keys="boss"
    )

    def health():
        return server.get("/health").json()

    until(lambda: health()["status"] == "warn", "health warns")
    assert "503" in health()["checks"]["voices"][0]["output"]
    assert server.get("/health/ready").status_code == 200
    speech = {"input": "hello", "response_format": "wav"}
    assert server.session.post(server.base + SPEECH, json=speech).status_code == 200
    del mirror.always["autovoice-voices.json"]

    def tried_again():
        server.session.post(
            f"{server.base}/v1/voices/installs", json={"voice": "tones"}, headers=ADMIN
        )
        return "tones" in voices_of(server)

    until(tried_again, "the voice is listed", patience_s=60)
    assert health()["status"] == "pass"


@pytest.mark.slow
def test_a_server_that_stops_keeps_what_has_arrived(mirror, folder, start):
    url = mirror.list(mirror.voice("a", piper_model(4_000_000)))
    mirror.always["a.onnx"] = slowly(pieces=100, pause_s=0.2)
    server = start(engine="stub", voice_dir=folder, voice_index=url, voices="a", drain_s=20)
    part = folder / ASIDE / "unfinished" / "a" / "a.onnx"
    until(lambda: part.exists() and part.stat().st_size > 200_000, "some of it has arrived")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10
    assert part.exists() and shown(folder) == [ASIDE]


def test_a_wanted_voice_that_is_there_needs_no_network(mirror, folder, start):
    url = mirror.list(spoken(mirror))
    assert finished(command(folder, url, "install", "tones"))[0] == 0
    mirror.seen.clear()
    server = start(engine="stub", voice_dir=folder, voice_index=url, voices="tones")
    until(lambda: "tones" in voices_of(server), "the voice is listed")
    assert server.get("/health").json()["status"] == "pass"
    assert mirror.seen == []
