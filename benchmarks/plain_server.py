"""The rivals: the server that one writes in an afternoon, in two ways.

Flask and gunicorn's threads with the engine in process under a lock, or, with
PLAIN_ENGINE=command, with a new ``espeak-ng`` process for each request. They
take the same requests as AutoVoice, and check, log and count nothing.
"""

import io
import os
import subprocess
import threading
import wave

from benchmarks.raw_engine import Espeak
from benchmarks.texts import ENGINE_VOICE
from flask import Flask, Response, request

app = Flask(__name__)
_in_process = os.environ.get("PLAIN_ENGINE") != "command"
_engine = Espeak(ENGINE_VOICE) if _in_process else None
_lock = threading.Lock()


@app.route("/health/ready")
def ready() -> Response:
    """The process is there."""
    return Response("yes")


@app.route("/v1/audio/speech", methods=["POST"])
def speak() -> Response:
    """The whole text, then the whole answer."""
    text: str = request.get_json()["input"]
    if _engine is None:
        command = ["espeak-ng", "-v", ENGINE_VOICE, "--stdin", "--stdout"]
        wav = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True)
        return Response(wav.stdout, mimetype="audio/wav")
    with _lock:
        pcm = _engine.speak(text)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_engine.rate)
        out.writeframes(pcm)
    return Response(file.getvalue(), mimetype="audio/wav")
