"""``autovoice doctor``: what is configured, and what of it works here."""

import os
import platform
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Iterator, List, NamedTuple

import msgspec

from auto_voice import __version__
from auto_voice.audio.encoders import available
from auto_voice.bootstrap import build, tracing_module
from auto_voice.engines import EMBEDDED, ENGINES, PACKAGES, chosen
from auto_voice.errors import AutoVoiceError, MissingDependency, SettingsError
from auto_voice.kernels import native
from auto_voice.monitoring.nvml import Gpu, Reader, Sample
from auto_voice.settings import PREFIX, Settings, available_cores, is_secret, unknown
from auto_voice.shared import client
from auto_voice.voices.folder import VoiceFolder

OK, NOTE, FAIL = "ok", "note", "FAIL"
_ENGINE_WAIT_S = 30.0
_VOICES_WAIT_S = 120.0
"""For all voices of an engine together."""
_COLLECTOR_WAIT_S = 2.0
_DRIVER_WAIT_S = 10.0
_LITTLE_DISK_BYTES = 100 << 20


class Finding(NamedTuple):
    """One line of the doctor's report."""

    state: str
    """`OK`, `NOTE` (not needed, or worth knowing) or `FAIL` (needed, and does not work)."""
    subject: str
    text: str


def configured(settings: Settings) -> List[Finding]:
    """Every setting that differs from its default, then anything that only looks like one."""
    findings = []
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if value != field.default:
            shown = "(hidden)" if is_secret(field.name) else value
            findings.append(Finding(OK, PREFIX + field.name.upper(), str(shown)))
    for name in unknown():
        findings.append(Finding(NOTE, name, "there is no such setting"))
    return findings or [Finding(OK, "settings", "all at their defaults")]


def examined(settings: Settings) -> Iterator[Finding]:
    """Everything that could be broken, tried for real."""
    yield Finding(
        OK,
        "AutoVoice",
        f"{__version__}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {available_cores()} cores",
    )
    yield from _engines(settings)
    yield from _voices(settings)
    for name, fault in available().items():
        yield Finding(FAIL if fault else OK, f"encoder {name}", fault or "works")
    yield from _gpus(settings)
    yield _native()
    yield _redis(settings)
    yield _collector(settings)
    yield _disk(settings)
    yield _port(settings.host, settings.port)
    if settings.wyoming_port:
        yield _port(settings.wyoming_host, settings.wyoming_port)


def _engines(settings: Settings) -> Iterator[Finding]:
    """Those that are configured, and what is wrong with each of the others."""
    try:
        wanted = chosen(settings.engine)
    except SettingsError as error:
        yield Finding(FAIL, "engines", error.message)
        return
    needed = {EMBEDDED} if settings.engine == "auto" else set(wanted)
    for name in (*wanted, *(name for name in ENGINES if name not in wanted and name != "stub")):
        yield from _engine(settings, name, FAIL if name in needed else NOTE)


def _voices(settings: Settings) -> Iterator[Finding]:
    """What is in the folder of voices."""
    folder = VoiceFolder(settings.voice_folder)
    found = folder.look()
    text = f"{len(found.voices)} in {folder.folder}"
    yield Finding(OK if found.voices else NOTE, "voices", text)
    for voice in found.broken:
        yield Finding(NOTE, f"voice {voice.id}", voice.reason)


def _engine(settings: Settings, name: str, trouble: str) -> Iterator[Finding]:
    """An engine, then those of its voices that do not speak."""
    subject = f"engine {name}"
    trial = msgspec.structs.replace(
        settings,
        engine=name,
        engine_workers=1,
        cache="off",
        cache_dir="",
        redis_url="",
        tracing="off",
    )
    began = time.monotonic()
    service = build(trial)
    try:
        synthesizer = service.synthesizer
        engine = synthesizer.ensemble.description(name)
        voices = list(synthesizer.catalogue.list(engine=name))
        if not voices and name in PACKAGES:
            yield Finding(NOTE, subject, f"{engine.version}, no voice is installed for it")
            return
        # Voices that are files are no better than their files: each has to speak.
        mute: List[Finding] = []
        tried = voices if name in PACKAGES else voices[:1]
        took_s = 0.0
        for voice in tried:
            if time.monotonic() - began > _VOICES_WAIT_S:
                mute.append(
                    Finding(NOTE, subject, f"not all of its voices were tried: {voice.id} …")
                )
                break
            try:
                synthesizer.probe(_ENGINE_WAIT_S, voice)
                took_s = took_s or time.monotonic() - began
            except AutoVoiceError as error:
                mute.append(Finding(NOTE, f"voice {voice.id}", error.message))
    except AutoVoiceError as error:
        yield Finding(trouble, subject, error.message)
        return
    finally:
        service.close()
    if not took_s:
        why = mute[0].text if len(voices) == 1 or name not in PACKAGES else "none of them speaks"
        yield Finding(trouble, subject, f"{engine.version}, {len(voices)} voices: {why}")
    else:
        repeats = "" if engine.capabilities.reproducible else "; speech differs a little each time"
        told = f"{engine.version}, {len(voices)} voices, speaks after {took_s:.2f} s{repeats}"
        yield Finding(OK, subject, told)
    if name in PACKAGES:
        yield from mute


def _gpus(settings: Settings) -> Iterator[Finding]:
    if settings.gpu_metrics == "off":
        yield Finding(NOTE, "GPU", "not looked for")
        return
    trouble = FAIL if settings.gpu_metrics == "on" else NOTE
    no_answer = Sample(faults=("the driver does not answer",))
    sample = Reader(pids=tuple).sample(_DRIVER_WAIT_S) or no_answer
    for gpu in sample.gpus:
        yield Finding(OK, f"GPU {gpu.number}", _gpu(gpu, sample.driver))
    for fault in sample.faults:
        text = f"the driver answers with an error: {fault}" if sample.gpus else f"none ({fault})"
        yield Finding(trouble, "GPU", text)


def _gpu(gpu: Gpu, driver: str) -> str:
    told = [gpu.model or "unknown model"]
    if gpu.memory_limit_bytes is not None and gpu.memory_used_bytes is not None:
        limit, used = gpu.memory_limit_bytes / (1 << 30), gpu.memory_used_bytes / (1 << 30)
        told.append(f"{used:.1f} of {limit:.1f} GiB in use")
    if gpu.temperature_celsius is not None:
        told.append(f"{gpu.temperature_celsius} °C")
    return ", ".join([*told, f"driver {driver}"])


def _native() -> Finding:
    subject = "native code"
    try:
        library = native.library()
    except MissingDependency as error:
        return Finding(FAIL, subject, error.message)
    if library is None:
        return Finding(NOTE, subject, "not built (make native); numpy does its work, slower")
    devices = library.cuda_devices()
    cuda = "without CUDA" if devices is None else f"with CUDA, {devices} devices"
    return Finding(OK, subject, f"{library.path}, {cuda}")


def _redis(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding(NOTE, "Redis", "not configured, not needed")
    try:
        return Finding(OK, "Redis", f"answers, version {client.version(settings.redis_url)}")
    except (MissingDependency, ValueError, ConnectionError) as error:
        return Finding(FAIL, "Redis", str(error))


def _collector(settings: Settings) -> Finding:
    subject = "collector"
    if settings.tracing == "off":
        return Finding(NOTE, subject, "traces are off, not needed")
    try:
        tracing = tracing_module()
        tracing.check()
    except SettingsError as error:
        return Finding(FAIL, subject, error.message)
    host, port = tracing.address()
    try:
        socket.create_connection((host, port), _COLLECTOR_WAIT_S).close()
    except OSError as error:  # no request suffers from that
        return Finding(NOTE, subject, f"{host} does not answer on port {port}: {error}")
    return Finding(OK, subject, f"{host} takes connections on port {port}")


def _disk(settings: Settings) -> Finding:
    folder = Path(settings.cache_dir).expanduser() if settings.cache_dir else None
    if folder is None:
        return Finding(NOTE, "disk", "no cache folder is configured; audio is kept in memory only")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)) as file:
            file.write(b"x" * 4096)
        free = shutil.disk_usage(str(folder)).free
    except OSError as error:
        return Finding(FAIL, "disk", f"{folder}: {error.strerror}")
    text = f"{folder} can be written, {free >> 20} MB free"
    return Finding(NOTE if free < _LITTLE_DISK_BYTES else OK, "disk", text)


def _port(host: str, port: int) -> Finding:
    subject = f"port {port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host.strip("[]"), port))
        except OSError as error:
            text = f"{host} cannot be listened on: {os.strerror(error.errno or 0)}"
            return Finding(NOTE, subject, text + " (is AutoVoice running already?)")
    return Finding(OK, subject, f"free on {host}")
