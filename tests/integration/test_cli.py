"""The command line as a shell sees it: output, files and exit statuses."""

import http.server
import json
import os
import pty
import re
import shutil
import signal
import socketserver
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest

from tests.integration.serving import (
    AUTOVOICE,
    SENTENCE,
    TEXT,
    assert_error,
    environment,
    is_running,
    is_stopped,
    kill,
    speech_body,
    until,
)
from tests.unit.audio.sound import decode, ffprobe

ROOT = Path(__file__).resolve().parents[2]
FORMATS = ("wav", "mp3", "opus", "flac", "aac", "pcm")
COMMANDS = ("serve", "wyoming", "say", "voices", "lexicon", "doctor", "bench")


class Done:
    """What a command has left."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err.decode(errors="replace")

    @property
    def text(self):
        return self.out.decode(errors="replace")


def run(*arguments, stdin=b"", command=(AUTOVOICE,), cwd=None, **settings):
    done = subprocess.run(
        [*command, *map(str, arguments)],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(settings),
        cwd=cwd,
        timeout=100,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Done(done.returncode, done.stdout, done.stderr)


def succeeded(*arguments, **options):
    done = run(*arguments, **options)
    assert done.status == 0, done.err
    return done


def refused(status, *arguments, **options):
    """A command that fails, with a message and nothing on standard output."""
    done = run(*arguments, **options)
    assert done.status == status, (done.text, done.err)
    assert done.err.strip()
    assert done.out == b""
    return done


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)], ids=" ".join)
def test_help_explains_itself(command):
    """In both spellings, and every option with a word of explanation."""
    done = succeeded(*command, "--help")
    assert done.text == succeeded(*command, "-h").text
    assert "Usage: autovoice" in done.text
    for line in done.text.split("\n"):
        if re.match(r"  (-\w, )?--\w", line) and "--port" not in line:
            assert len(line.split()) > 1


def test_help_shows_what_to_type():
    """Who reads it can go on without the documentation."""
    text = succeeded("--help").text
    for example in ("autovoice serve", "curl localhost:5000", 'autovoice say "Hello, world."'):
        assert example in text
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", text, re.MULTILINE)
    assert "Exit status" in text
    assert "autovoice say" in succeeded("say", "--help").text.split("Usage")[1]


def test_the_version_is_the_packages():
    from auto_voice import __version__

    assert __version__ in succeeded("--version").text


@pytest.mark.parametrize(
    "arguments",
    [
        ("sing",),
        ("--nonsense",),
        ("say", "--nonsense", "a"),
        ("say", "a", "b", "-o", "-"),
        ("say", "--speed", "9", "a", "-o", "-"),
        ("say", "--speed", "fast", "a", "-o", "-"),
        ("say", "--sample-rate", "1", "a", "-o", "-"),
        ("say", "--format", "ogg", "a", "-o", "-"),
        ("say", "a", "-o", "a.txt"),
        ("say", "", "-o", "-"),
        ("say", "  ", "-o", "-"),
        ("say", "--voice", "nobody", "a", "-o", "-"),
        ("say", "--sample-rate", "22050", "-f", "opus", "a", "-o", "-"),
        ("say", "a", "--play", "-o", "a.mp3"),
        ("voices", "--gender", "robot"),
        ("voices", "nobody"),
        ("voices", "--language", "xx"),
        ("serve", "--port", "http"),
        ("serve", "--port", "99999"),
        ("bench", "--url", "nonsense"),
        ("bench", "--url", "ftp://example.org"),
        ("bench", "--clients", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(arguments, tmp_path):
    """A script can tell it from a failure that another try may mend."""
    refused(2, *arguments, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_voice_gets_near_matches():
    assert "alloy" in refused(2, "say", "--voice", "aloy", "a", "-o", "-").err


@pytest.mark.parametrize("arguments", [("say", "a", "-o", "-"), ("voices",), ("doctor",)])
def test_wrong_settings_end_with_2_and_are_all_named(arguments):
    done = run(*arguments, port="http", engine="festival", drain_s=-1)
    assert done.status == 2
    for name in ("PORT", "ENGINE", "DRAIN_S"):
        assert f"AUTOVOICE_{name}" in done.err


# --- say ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [*FORMATS, "ogg", "WAV"])
@pytest.mark.needs("ffprobe")
def test_the_files_ending_chooses_the_format(server, tmp_path, ending):
    """And the sound is what the server would have sent."""
    path = tmp_path / f"hello.{ending}"
    done = succeeded("say", SENTENCE, "-o", path)
    assert str(path) in done.text
    name = {"ogg": "opus", "WAV": "wav"}.get(ending, ending)
    assert path.read_bytes() == server.speak(SENTENCE, response_format=name).content
    if name != "pcm":
        ffprobe(path.read_bytes())


def test_the_format_may_be_said_apart(server, tmp_path):
    path = tmp_path / "hello.bin"
    succeeded("say", SENTENCE, "-o", path, "--format", "flac")
    assert path.read_bytes() == server.speak(SENTENCE, response_format="flac").content


def test_options_do_what_the_fields_of_the_api_do(server, tmp_path):
    path = tmp_path / "hello.wav"
    options = ("--voice", "de+f3", "--speed", "1.5", "--sample-rate", "16000")
    succeeded("say", "Guten Morgen.", *options, "-o", path)
    fields = {"voice": "de+f3", "speed": 1.5, "sample_rate": 16000}
    assert path.read_bytes() == server.speak("Guten Morgen.", **fields).content


@pytest.mark.parametrize("arguments", [("-o", "-"), ()], ids=["asked for", "by default"])
def test_sound_goes_to_standard_output(server, arguments):
    """And nothing else does."""
    done = succeeded("say", SENTENCE, *arguments)
    assert done.out == server.speak(SENTENCE).content
    assert done.err == ""
    done = succeeded("say", TEXT, "-f", "mp3", *arguments)
    assert done.out == server.speak(TEXT, response_format="mp3").content


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["without", "dash"])
def test_text_comes_from_standard_input(server, arguments):
    text = f"{TEXT}\n\nGrüße: \u4f60\u597d.\n"
    done = succeeded("say", *arguments, "-o", "-", stdin=text.encode())
    assert done.out == server.speak(text).content


def test_text_that_is_not_utf_8_is_spoken_all_the_same():
    """A file from long ago: the letters that cannot be read are left out."""
    assert succeeded("say", "-o", "-", stdin="Grüße aus Köln.".encode("latin-1")).out


def test_text_that_begins_with_a_dash_comes_after_two():
    assert succeeded("say", "-o", "-", "--", "-5 degrees").out


def test_long_text_has_no_limit_and_a_right_header(tmp_path):
    """More than the API takes at once. The sizes in a WAV's header are true afterwards."""
    path = tmp_path / "long.wav"
    text = (TEXT + " ") * 100
    assert len(text) > 10_000
    succeeded("say", "-o", path, stdin=text.encode())
    data = path.read_bytes()
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    assert struct.unpack("<I", data[40:44])[0] == len(data) - 44
    once = succeeded("say", TEXT, "-o", "-").out
    assert len(data) > 90 * len(once)


@pytest.mark.needs("ffprobe")
def test_a_short_streamed_file_has_a_right_header_too(tmp_path):
    path = tmp_path / "short.wav"
    succeeded("say", TEXT, "-o", path)
    data = path.read_bytes()
    assert struct.unpack("<I", data[40:44])[0] == len(data) - 44
    shown = float(ffprobe(data, "-show_entries", "format=duration"))
    assert shown == pytest.approx(len(decode(data, "wav")) / 22050, abs=0.01)


def test_a_file_that_is_there_is_replaced(tmp_path):
    path = tmp_path / "hello.wav"
    path.write_bytes(b"x" * 10_000_000)
    succeeded("say", SENTENCE, "-o", path)
    assert path.read_bytes()[:4] == b"RIFF"
    assert path.stat().st_size < 1_000_000


def test_quiet_says_nothing(tmp_path):
    done = succeeded("say", SENTENCE, "-q", "-o", tmp_path / "a.wav")
    assert (done.out, done.err) == (b"", "")


@pytest.mark.parametrize("path", ["nowhere/hello.wav", "."])
def test_a_file_that_cannot_be_written_is_said(tmp_path, path):
    assert "hello.wav" in refused(2, "say", "a", "-o", path, cwd=tmp_path).err or path == "."


def test_a_full_disk_is_said():
    """One line, not a traceback."""
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = run("say", TEXT, "-f", "wav", "-o", "/dev/full")
    assert done.status == 1
    assert "/dev/full" in done.err or "space" in done.err


def test_an_engine_that_fails_ends_with_1(tmp_path):
    """Another try may help."""
    for text in ("FAIL", "CRASH"):
        refused(1, "say", text, "-o", tmp_path / "a.wav", engine="stub")


def test_speakers_get_the_sound(tmp_path, server):
    """Through the first player that is there; here one that writes down what it hears."""
    player = tmp_path / "aplay"
    player.write_text(f"#!/bin/sh\ncat > {tmp_path}/heard.wav\n")
    player.chmod(0o755)
    for name in ("cat", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name))
    env = {**environment({}), "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "auto_voice", "say", SENTENCE, "--play"]
    assert subprocess.run(command, env=env, check=False, timeout=60).returncode == 0
    assert (tmp_path / "heard.wav").read_bytes() == server.speak(SENTENCE).content
    player.write_text("#!/bin/sh\ncat > /dev/null\nexit 1\n")
    done = subprocess.run(command, env=env, check=False, timeout=60, stderr=subprocess.PIPE)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert b"player" in done.stderr
    player.unlink()
    done = subprocess.run(command, env=env, check=False, timeout=60, stderr=subprocess.PIPE)
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert b"aplay" in done.stderr


def on_a_terminal(*arguments, **settings):
    """Standard output and error of a command on a terminal, and its exit status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [AUTOVOICE, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment(settings), "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # Linux' way to say that nobody has the other end any more
            break
        if not data:
            break
        shown += data
    os.close(ours)
    return process.wait(60), shown.decode(errors="replace")


def test_long_text_shows_its_progress_on_a_terminal(tmp_path):
    """So that nobody wonders whether anything happens."""
    path = tmp_path / "long.wav"
    status, shown = on_a_terminal("say", (TEXT + " ") * 60, "-o", path)
    assert status == 0
    assert "Speaking" in shown and "100%" in shown
    assert "Traceback" not in shown


def test_sound_is_not_poured_over_a_terminal():
    """Say where to: it is a question of usage."""
    status, shown = on_a_terminal("say", "Hello.")
    assert status == 2
    assert "--output" in shown


def test_ctrl_c_ends_with_130(tmp_path):
    """As shells expect, without a traceback, and without leaving a worker."""
    process = subprocess.Popen(
        [AUTOVOICE, "say", "-o", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({"engine_workers": 1}),
    )
    process.stdin.write((TEXT * 3000).encode())
    process.stdin.close()
    assert process.stdout.read(44)[:4] == b"RIFF"
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    process.stdout.read()  # what was on its way
    error = process.stderr.read().decode()
    assert process.wait(60) == 130
    assert "Traceback" not in error
    until(lambda: not any(map(is_running, workers)), "no worker is left")


def workers_of(pid):
    from tests.integration.serving import children

    return until(lambda: list(children(pid)), "a worker runs")


@pytest.mark.parametrize(
    "arguments", ["voices", "voices --json", f"say '{TEXT * 20}' -o -"], ids=lambda words: words[:8]
)
def test_whoever_has_read_enough_is_not_bothered(arguments):
    """`autovoice voices | head -1`: no complaint, and no failure."""
    done = subprocess.run(
        f"set -o pipefail; {AUTOVOICE} {arguments} | head -c 10 | wc -c",
        shell=True,
        executable="/bin/bash",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment({}),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    assert done.stdout.strip() == b"10"


# --- voices ---------------------------------------------------------------------------------------


def listed(*arguments, **options):
    lines = succeeded("voices", *arguments, **options).text.splitlines()
    return [line.split()[0] for line in lines]


def test_voices_are_listed_as_the_server_does(server):
    """One a line, its id first; OpenAI's names beside those they stand for."""
    here = listed()
    assert here == [voice["id"] for voice in server.get("/v1/audio/voices").json()["voices"]]
    line = next(
        line for line in succeeded("voices").text.splitlines() if line.split()[0] == "en-us"
    )
    assert line.endswith("(alloy)") and "English" in line


def test_voices_are_filtered():
    assert set(listed("--language", "pt")) >= {"pt", "pt-br"}
    women = listed("--language", "de", "--gender", "female", "--variants")
    assert women and all(name.startswith("de+") for name in women)


def test_one_voice_is_described_by_any_of_its_names():
    assert listed("de") == listed("DE") == ["de"]
    assert listed("nova") == ["en-us+f3"]
    assert succeeded("voices", "en-us+f3").text.strip().endswith("(nova)")


def test_voices_are_there_for_programs_too(server):
    shown = json.loads(succeeded("voices", "--json").text)
    assert shown == server.get("/v1/audio/voices").json()["voices"]
    (one,) = json.loads(succeeded("voices", "de+f3", "--json").text)
    assert (one["id"], one["variant"]) == ("de+f3", "f3")


# --- doctor ---------------------------------------------------------------------------------------


def test_doctor_finds_this_machine_well():
    """What it says, it has tried: the engine has spoken, the encoders have encoded."""
    done = succeeded("doctor", port=0)
    for part in ("engine espeak", *(f"encoder {name}" for name in FORMATS), "GPU", "Redis", "disk"):
        assert part in done.text
    assert "FAIL" not in done.text
    assert "all at their defaults" not in done.text


def test_doctor_shows_settings_but_no_secrets():
    done = succeeded(
        "doctor",
        port=0,
        api_keys="alice:correct-horse",
        cache="off",
        max_input_chars=123,
        nonsense=1,
    )
    assert "AUTOVOICE_MAX_INPUT_CHARS" in done.text and "123" in done.text
    assert "AUTOVOICE_CACHE" in done.text
    assert "correct-horse" not in done.text + done.err
    assert re.search(r"note +AUTOVOICE_NONSENSE", done.text)


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"redis_url": "redis://127.0.0.1:1/0"}, "Redis"),
        ({"redis_url": "nonsense"}, "Redis"),
        ({"cache_dir": "/dev/null/cache"}, "disk"),
    ],
    ids=["no Redis there", "no Redis at all", "no disk"],
)
def test_doctor_fails_where_something_needed_does_not_work(settings, subject):
    """Non-zero, so that a deployment can stop there; and it goes on to tell the rest."""
    done = run("doctor", port=0, **settings)
    assert done.status == 1
    assert re.search(rf"FAIL +{subject}", done.text)
    assert re.search(r"ok +engine espeak", done.text)
    assert done.err.strip()


def test_doctor_says_that_a_port_is_taken(stub):
    """Which is no failure: it may be the running server that is asked about."""
    done = succeeded("doctor", port=stub.port)
    assert re.search(rf"note +port {stub.port}", done.text)


def test_doctor_asks_the_running_server_whether_it_is_ready(stub):
    """In one word, for the health check of a container."""
    assert succeeded("doctor", "--ready", port=stub.port).text == "ready\n"
    everywhere = {"host": "0.0.0.0", "allow_anonymous": "on"}
    assert succeeded("doctor", "--ready", port=stub.port, **everywhere).text == "ready\n"


def test_doctor_tells_why_a_server_is_not_ready(start):
    """What the server says of itself, and a status that a health check understands."""
    full = start(engine="stub", engine_workers=1, max_requests=1)
    (engine,) = full.engine_pids()
    with full.connect().ask(speech_body("One. STOP and this is the end.")):
        until(lambda: is_stopped(engine), "the engine has come to its stop")
        done = run("doctor", "--ready", port=full.port)
        kill(engine)
    assert done.status == 1
    assert "not ready: queue: no place is free" in done.err


def test_doctor_tells_that_no_server_is_there(free_port):
    done = run("doctor", "--ready", port=free_port)
    assert done.status == 1
    assert f"nothing answers on 127.0.0.1 port {free_port}" in done.err


def test_doctor_tells_a_stranger_from_autovoice(tmp_path):
    """Something else that took the port is not a ready server."""
    with socketserver.TCPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        done = run("doctor", "--ready", port=other.server_address[1], cwd=tmp_path)
        other.shutdown()
    assert done.status == 1
    assert "is not AutoVoice" in done.err


def test_doctor_is_plain_where_nobody_sees_colours():
    assert "\x1b" not in succeeded("doctor", port=0).text


# --- bench ----------------------------------------------------------------------------------------


def test_bench_measures_a_running_server(stub):
    done = succeeded("bench", "--url", stub.base, "-n", 50, "-c", 4, "-f", "pcm")
    assert "50 requests in" in done.text
    for figure in ("p50", "p95", "p99", "first audio", "a second"):
        assert figure in done.text


def test_bench_fails_where_requests_fail(stub, start):
    done = run("bench", "--url", stub.base, "-n", 3, "-v", "nobody")
    assert done.status == 1
    assert "3 of 3" in done.err and "voice" in done.err
    gone = run("bench", "--url", "http://127.0.0.1:1", "-n", 2)
    assert gone.status == 1
    keyed = start(engine="stub", api_keys="sesame")
    assert run("bench", "--url", keyed.base, "-n", 2).status == 1
    assert succeeded("bench", "--url", keyed.base, "-n", 2, "--key", "sesame").out
    assert succeeded("bench", "--url", keyed.base, "-n", 2, api_key="sesame").out


# --- other ways in --------------------------------------------------------------------------------


def test_the_module_is_the_command():
    """`python -m auto_voice`, where no script is on the path."""
    module = (sys.executable, "-m", "auto_voice")
    assert listed("de", command=module) == ["de"]
    assert refused(2, "sing", command=module).err


def test_main_py_serves_without_being_installed(start, tmp_path):
    """From any folder, with the port from the environment."""
    server = start(command=[sys.executable, str(ROOT / "main.py")], port=0, engine="stub")
    assert server.speak("Hello.").status_code == 200
    assert server.stop() == 0


def test_main_py_refuses_wrong_settings_like_the_command():
    done = refused(2, command=(sys.executable, str(ROOT / "main.py")), port="http", drain_s="soon")
    assert "AUTOVOICE_PORT" in done.err and "AUTOVOICE_DRAIN_S" in done.err


def free_port():
    import socket

    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def test_the_port_comes_from_the_environment_or_the_command_line(start):
    """The command line wins."""
    first, second = free_port(), free_port()
    server = start(command=[AUTOVOICE, "serve"], engine="stub", port=first)
    assert server.port == first
    command = [AUTOVOICE, "serve", "--port", str(second), "--host", "localhost"]
    server = start(command=command, engine="stub", port=first)
    assert server.port == second
    assert_error(server.get("/nothing"), 404)


def test_the_first_thing_a_newcomer_hears_is_speech(tmp_path):
    """Not silence, not noise: loud, and with pauses."""
    path = tmp_path / "hello.wav"
    succeeded("say", "Hello, world.", "-o", path)
    samples = numpy.frombuffer(path.read_bytes()[44:], "<i2").astype(float)
    assert 0.5 < len(samples) / 22050 < 3
    assert 1000 < samples.std() < 16000
    assert abs(samples).max() > 5000
