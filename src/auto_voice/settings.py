"""All settings: one frozen object, read from the environment at start.

Each field is set by ``AUTOVOICE_<FIELD IN CAPITALS>``. Its annotation carries
the allowed range, its docstring-like ``description`` the unit and the meaning;
both appear in ``docs/configuration.md`` and in ``autovoice doctor``.
"""

import ipaddress
import math
import os
from pathlib import Path
from typing import Any, Dict, List, Literal, Mapping, Optional, Tuple

import msgspec
from typing_extensions import Annotated

from auto_voice.errors import SettingsError

PREFIX = "AUTOVOICE_"
_FILE = "_FILE"

_SECRETS = frozenset({"admin_keys", "api_keys", "redis_url", "metrics_token"})
_IN_FILES = _SECRETS - {"admin_keys", "api_keys"}  # which have settings of their own for files


def _text(description: str, **kwargs: Any) -> Any:
    return msgspec.Meta(description=description, **kwargs)


ENGINES = ("espeak", "piper", "sherpa", "stub")
"""Engines that a setting may name, installed or not."""

Switch = Literal["on", "off"]
GpuMetrics = Literal["auto", "on", "off"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

DEFAULT_VOICE_ALIASES = (
    "alloy=en-us,ash=en-us+m3,ballad=en-gb+m2,cedar=en-us+m7,coral=en-us+f2,echo=en-us+m1,"
    "fable=en-gb,marin=en-us+f5,nova=en-us+f3,onyx=en-us+m4,sage=en-gb+f4,shimmer=en-us+f4,"
    "verse=en-gb+m3"
)

DEFAULT_VOICE_INDEX = "builtin,https://huggingface.co/rhasspy/piper-voices/resolve/main/voices.json"
"""The voices that are described here, and Piper's public collection."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, with its default."""

    host: Annotated[
        str, _text("Address to listen on. Any other than loopback needs API keys.", min_length=1)
    ] = "127.0.0.1"
    port: Annotated[int, _text("TCP port; 0 picks a free one.", ge=0, le=65535)] = 5000
    wyoming_port: Annotated[
        int,
        _text("TCP port for Wyoming (Home Assistant), usually 10200; 0: none.", ge=0, le=65535),
    ] = 0
    wyoming_host: Annotated[
        str,
        _text(
            "Address to listen on for Wyoming, which knows no keys: any other than loopback needs "
            "`AUTOVOICE_ALLOW_ANONYMOUS=on`.",
            min_length=1,
        ),
    ] = "127.0.0.1"

    api_keys: Annotated[str, _text("API keys, comma-separated, each `name:key` or `key`.")] = ""
    api_keys_file: Annotated[str, _text("File with one `name:key` or `key` a line.")] = ""
    admin_keys: Annotated[
        str,
        _text(
            "Keys of those who may install and remove voices, as API keys are written; "
            "empty: nobody may over HTTP."
        ),
    ] = ""
    admin_keys_file: Annotated[str, _text("File with one `name:key` or `key` a line.")] = ""
    allow_anonymous: Annotated[
        Switch, _text("`on` serves other addresses than loopback without any API key.")
    ] = "off"
    public_listings: Annotated[
        Switch, _text("`on` answers /v1/audio/voices and /v1/audio/models without a key.")
    ] = "on"
    public_status: Annotated[
        Switch, _text("`on` answers /v1/status, which the page /status shows, without a key.")
    ] = "off"
    rate_limit: Annotated[
        str,
        _text(
            "Requests to /v1/audio/speech a key (or, without keys, an address) may make, "
            "such as `60/minute` or `10/second;500/hour`; empty: unlimited."
        ),
    ] = ""

    engine: Annotated[
        str,
        _text(
            "The engines, comma-separated, the preferred one first; `auto`: the neural ones that "
            "are installed, then the embedded one, `espeak`.",
            min_length=1,
        ),
    ] = "auto"
    engine_workers: Annotated[
        int, _text("Worker processes of each engine; 0: one per core.", ge=0, le=256)
    ] = 0
    engine_timeout_s: Annotated[
        float,
        _text("Seconds without a sign of life after which a worker is restarted.", ge=0.1, le=600),
    ] = 10.0
    voice_dir: Annotated[
        str,
        _text(
            "Folder of installed voices; what is put there is found without a restart; "
            "empty: `autovoice/voices` in the user's data folder."
        ),
    ] = ""
    voices_memory_mb: Annotated[
        int,
        _text(
            "Megabytes that installed voices may take in a worker while they are loaded.",
            ge=16,
            le=1_000_000,
        ),
    ] = 1024
    voices: Annotated[
        str,
        _text(
            "Ids of voices to have, comma-separated: a server installs those that are missing "
            "while it serves."
        ),
    ] = ""
    voice_index: Annotated[
        str,
        _text(
            "Where voices are installed from, comma-separated, the first one first: `builtin`, "
            "absolute paths of folders, URLs of lists or of folders.",
            min_length=1,
        ),
    ] = DEFAULT_VOICE_INDEX
    voices_disk_mb: Annotated[
        int, _text("Megabytes that the folder of voices may take.", ge=1, le=10_000_000)
    ] = 10_240
    download_timeout_s: Annotated[
        float,
        _text("Seconds in which a download may bring next to nothing.", ge=0.1, le=3600),
    ] = 30.0
    default_voice: Annotated[str, _text("The voice where a request names none.", min_length=1)] = (
        "alloy"
    )
    voice_aliases: Annotated[
        str,
        _text(
            "Other names for voices, comma-separated `alias=voice`; "
            "by default OpenAI's voice names."
        ),
    ] = DEFAULT_VOICE_ALIASES
    loudness_lufs: Annotated[
        float,
        _text(
            "Loudness of every voice, in LUFS (EBU R128, one channel); 0: each as it is.",
            ge=-40,
            le=0,
        ),
    ] = -21.0
    lexicon_dir: Annotated[
        str,
        _text(
            "Folder for lexicons, shared safely by several processes; "
            "empty: `autovoice/lexicons` in the user's data folder."
        ),
    ] = ""

    ssml_audio_dir: Annotated[
        str, _text("Folder whose files `<audio>` in SSML may play; empty: none.")
    ] = ""

    max_input_chars: Annotated[
        int, _text("Characters of text a request may have.", ge=1, le=100_000_000)
    ] = 4096
    max_body_bytes: Annotated[
        int,
        _text(
            "Bytes a request's body may have; 0: what the longest allowed text needs.",
            ge=0,
            le=1_000_000_000,
        ),
    ] = 0
    max_requests: Annotated[
        int,
        _text(
            "Requests that may be in synthesis or wait for it; more are answered 503.",
            ge=1,
            le=10_000,
        ),
    ] = 128
    start_deadline_s: Annotated[
        float, _text("Seconds within which a request must get its first audio.", ge=0.1, le=3600)
    ] = 30.0
    request_deadline_s: Annotated[
        float, _text("Seconds a request may take in all.", ge=1, le=86400)
    ] = 3600.0
    websocket_max_sessions: Annotated[
        int, _text("WebSockets that may be open; more are answered 503.", ge=0, le=100_000)
    ] = 2000
    websocket_idle_s: Annotated[
        float,
        _text(
            "Seconds without a message or audio after which a WebSocket is closed.", ge=1, le=86400
        ),
    ] = 300.0
    websocket_stall_s: Annotated[
        float,
        _text("Seconds a WebSocket's client may take nothing of its audio.", ge=1, le=3600),
    ] = 30.0
    websocket_origins: Annotated[
        str,
        _text(
            "Origins of web pages that may open WebSockets, comma-separated, `*` for all; "
            "empty: with an API key any, else only the server's own."
        ),
    ] = ""
    websocket_key_in_url: Annotated[
        Switch, _text("`on` also takes a WebSocket's API key from the URL, as `?api_key=`.")
    ] = "off"
    websocket_close_code: Annotated[
        Literal["1001", "1012"],
        _text(
            "How WebSockets are closed when the server stops: `1001` (going away), or `1012` (it "
            "restarts: come back at once) where another server stands behind the same address."
        ),
    ] = "1001"
    wyoming_max_connections: Annotated[
        int, _text("Wyoming connections that may be open.", ge=1, le=10_000)
    ] = 64
    drain_s: Annotated[
        float, _text("Seconds open requests get to finish after SIGTERM.", ge=0, le=3600)
    ] = 30.0

    cache: Annotated[Switch, _text("`off` switches the audio cache off.")] = "on"
    cache_memory_mb: Annotated[
        int, _text("Megabytes of finished audio kept in memory.", ge=0, le=1_000_000)
    ] = 64
    cache_dir: Annotated[
        str,
        _text(
            "Folder for finished audio on disk, shared safely by several processes; "
            "empty: memory only."
        ),
    ] = ""
    cache_disk_mb: Annotated[int, _text("Megabytes the folder may take.", ge=1, le=10_000_000)] = (
        1024
    )
    cache_entry_mb: Annotated[
        int, _text("Megabytes up to which one answer is kept.", ge=1, le=1024)
    ] = 8

    cache_redis_mb: Annotated[
        int,
        _text(
            "Megabytes of finished audio kept in the Redis of `AUTOVOICE_REDIS_URL`, by all "
            "servers that share it; 0: none.",
            ge=0,
            le=1_000_000,
        ),
    ] = 128
    cache_redis_ttl_s: Annotated[
        float,
        _text("Seconds that audio stays in Redis without being asked for.", ge=1, le=31_536_000),
    ] = 86400.0

    log_format: Annotated[
        Literal["auto", "json", "console"],
        _text("`json` for machines, `console` for people; `auto`: console on a terminal."),
    ] = "auto"
    log_level: Annotated[LogLevel, _text("The lowest level logged.")] = "INFO"
    log_dir: Annotated[
        str,
        _text(
            "Folder for log files of 10 MB with 5 older ones, besides standard output; "
            "empty: none."
        ),
    ] = ""
    log_config: Annotated[
        str, _text("A file to use instead of the shipped logging_config.yaml.")
    ] = ""
    metrics_token: Annotated[str, _text("Bearer token that /metrics asks for; empty: none.")] = ""
    metrics_port: Annotated[
        int,
        _text("Port of its own for /metrics; 0: the same as for all else.", ge=0, le=65535),
    ] = 0
    revision: Annotated[
        str, _text("Which commit this is, for the metrics; set by the image's build.", min_length=1)
    ] = "unknown"
    deployment_slot: Annotated[
        str, _text("Which slot of a deployment this is, for the metrics.", min_length=1)
    ] = "default"
    native_lib: Annotated[
        str,
        _text(
            "File of libautovoice, which training computes with; empty: where `make native` puts "
            "it, and numpy where there is none."
        ),
    ] = ""
    gpu_metrics: Annotated[
        GpuMetrics,
        _text(
            "NVIDIA GPUs in /metrics: `auto` shows those there are, `on` also tells when there is "
            "none, `off` does not look."
        ),
    ] = "auto"
    tracing: Annotated[
        Literal["off", "otlp"],
        _text(
            "`otlp` sends spans of requests to an OpenTelemetry collector; "
            "OpenTelemetry's own `OTEL_` variables say where and which."
        ),
    ] = "off"
    studio_sessions: Annotated[
        Switch,
        _text("`off` keeps what somebody does in the studio in the browser only."),
    ] = "on"
    redis_url: Annotated[
        str,
        _text(
            "Redis, such as `redis://localhost:6379/0`: servers that share it share finished "
            "audio, rate limits and the studio's sessions; while it does not answer, each goes on "
            "alone."
        ),
    ] = ""
    redis_wait_ms: Annotated[
        int,
        _text(
            "Milliseconds a request waits for an answer of Redis, twice at most, before the server "
            "goes on without it.",
            ge=1,
            le=1000,
        ),
    ] = 40

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={'(hidden)' if is_secret(field.name) else getattr(self, field.name)!r}"
            for field in msgspec.structs.fields(Settings)
        )
        return f"Settings({', '.join(shown)})"

    @property
    def body_limit_bytes(self) -> int:
        """The effective ``max_body_bytes``."""
        # JSON may write one character as two escapes of six bytes; the rest of a body is small.
        return self.max_body_bytes or 12 * self.max_input_chars + 16_384

    @property
    def engine_worker_count(self) -> int:
        """The effective ``engine_workers``."""
        return self.engine_workers or available_cores()

    @property
    def lexicon_folder(self) -> Path:
        """The effective ``lexicon_dir``; it need not be there yet."""
        return _folder(self.lexicon_dir, "lexicons")

    @property
    def voice_folder(self) -> Path:
        """The effective ``voice_dir``; it need not be there yet."""
        return _folder(self.voice_dir, "voices")

    @property
    def loudness_folder(self) -> Path:
        """Where the loudness of voices is kept: beside the cache, which servers may share."""
        if self.cache_dir:
            return Path(self.cache_dir).expanduser() / "loudness"
        return _folder("", "loudness")

    @property
    def aliases(self) -> Dict[str, str]:
        """Alias to voice id."""
        return dict(_parse_aliases(self.voice_aliases))

    def keys(self) -> Dict[str, str]:
        """API key to its name; reads ``api_keys_file``.

        Raises:
            SettingsError: the file cannot be read or a line is not a key.
        """
        return _keys(self.api_keys, self.api_keys_file, "API_KEYS_FILE", "API key")

    def admins(self) -> Dict[str, str]:
        """Administrator's key to its name; reads ``admin_keys_file``.

        Raises:
            SettingsError: as `keys`.
        """
        return _keys(self.admin_keys, self.admin_keys_file, "ADMIN_KEYS_FILE", "admin key")

    @property
    def wanted_voices(self) -> List[str]:
        """The ids in ``voices``."""
        return [part.strip() for part in self.voices.split(",") if part.strip()]


def _keys(given: str, path: str, variable: str, what: str) -> Dict[str, str]:
    lines = given.split(",")
    if path:
        try:
            with open(path, encoding="utf-8-sig") as file:
                lines += [line for line in file if not line.lstrip().startswith("#")]
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{PREFIX}{variable} cannot be read: {error}") from None
    keys: Dict[str, str] = {}
    for line in filter(None, map(str.strip, lines)):
        name, colon, key = line.partition(":")
        if not colon:
            name, key = f"key{len(keys) + 1}", line
        name, key = name.strip(), key.strip()
        if not key or not name or not key.isascii() or any(c.isspace() for c in key):
            raise SettingsError(
                f"{what} number {len(keys) + 1} is not of the form `name:key` "
                "(ASCII, no white space)."
            )
        keys[key] = name
    return keys


def _folder(named: str, default: str) -> Path:
    """The folder of a setting, or by default one of the user's."""
    if named:
        return Path(named).expanduser()
    data = os.environ.get("XDG_DATA_HOME", "")
    try:
        home = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    except RuntimeError:  # a container's user without a name has no home
        home = Path("/var/lib")
    return home / "autovoice" / default


def available_cores() -> int:
    """Cores this process may use: a container's CPU set and its quota count."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    try:
        # cgroup v2, as seen from inside a container: microseconds of each period, or "max".
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        pass  # no cgroup, or no limit
    return max(1, cores)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server listening on ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _parse_aliases(text: str) -> List[Tuple[str, str]]:
    pairs = []
    for item in filter(None, map(str.strip, text.split(","))):
        alias, equals, voice = (part.strip() for part in item.partition("="))
        if not (alias and equals and voice):
            raise ValueError(f"{item!r} is not of the form alias=voice")
        pairs.append((alias, voice))
    return pairs


def _check_rate_limit(text: str) -> None:
    if text:
        import limits  # only where a limit is set: it costs start-up time

        limits.parse_many(text)


def load(environ: Optional[Mapping[str, str]] = None, **overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (from the command line) win over the environment.

    Raises:
        SettingsError: its message lists *every* problem, not the first alone.
    """
    environ = os.environ if environ is None else environ
    problems: List[str] = []
    values: Dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        variable = PREFIX + field.name.upper()
        raw: Any = overrides.pop(field.name, None)
        if raw is None:
            raw = environ.get(variable)
        if field.name in _IN_FILES and environ.get(variable + _FILE):
            try:
                raw = _one_secret(environ, variable, raw)
            except SettingsError as error:
                problems.append(error.message)
                continue
        if raw in (None, ""):
            continue
        if isinstance(raw, str):
            raw = raw.strip()
            if variable.endswith("PORT") and raw.startswith("tcp://"):
                continue  # Kubernetes' own for a service named "autovoice", "autovoice-wyoming"
        try:
            values[field.name] = msgspec.convert(raw, field.type, strict=False)
        except msgspec.ValidationError as error:
            shown = "(hidden)" if is_secret(field.name) else repr(raw)
            choices = _choices(field.type)
            hint = f"; it is one of {', '.join(choices)}" if choices else ""
            problems.append(f"{variable}={shown}: {error}{hint}")
    if overrides:
        raise TypeError(f"unknown settings: {', '.join(sorted(overrides))}")
    settings = Settings(**values)
    problems += _problems_of(settings)
    if problems:
        raise SettingsError(
            "The settings are wrong:\n" + "\n".join(f"  {problem}" for problem in problems)
        )
    return settings


def _one_secret(environ: Mapping[str, str], variable: str, given: Any) -> str:
    """What is in the file that the variable's ``_FILE`` names."""
    if given:
        raise SettingsError(f"{variable} and {variable}{_FILE} are both set")
    try:
        return Path(environ[variable + _FILE]).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}{_FILE} cannot be read: {error}") from None


def _choices(kind: Any) -> Tuple[str, ...]:
    """The words a setting may be, or nothing if it is none of a few words."""
    kind = getattr(kind, "__origin__", kind)  # of Annotated: what is annotated
    return tuple(getattr(kind, "__args__", ())) if kind is not str else ()


def _problems_of(settings: Settings) -> List[str]:
    """What no single field's range can say."""
    problems = []
    try:
        _parse_aliases(settings.voice_aliases)
    except ValueError as error:
        problems.append(f"{PREFIX}VOICE_ALIASES: {error}")
    strange = set(filter(None, map(str.strip, settings.engine.split(",")))) - {*ENGINES}
    if strange and settings.engine != "auto":
        problems.append(
            f"{PREFIX}ENGINE={settings.engine!r}: there is no engine {', '.join(sorted(strange))}; "
            f"it is auto, or some of {', '.join(ENGINES)}"
        )
    try:
        _check_rate_limit(settings.rate_limit)
    except ValueError as error:
        problems.append(f"{PREFIX}RATE_LIMIT={settings.rate_limit!r}: {error}")
    try:
        settings.admins()
    except SettingsError as error:
        problems.append(error.message)
    try:
        keys = settings.keys()
    except SettingsError as error:
        problems.append(error.message)
    else:
        if not keys and not is_loopback(settings.host) and settings.allow_anonymous == "off":
            problems.append(
                f"{PREFIX}HOST={settings.host!r} can be reached from other machines, and no API "
                f"key is set: set {PREFIX}API_KEYS (or {PREFIX}API_KEYS_FILE), or "
                f"{PREFIX}ALLOW_ANONYMOUS=on if everybody may use this server"
            )
    if (
        settings.wyoming_port
        and not is_loopback(settings.wyoming_host)
        and settings.allow_anonymous == "off"
    ):
        problems.append(
            f"{PREFIX}WYOMING_HOST={settings.wyoming_host!r} can be reached from other machines, "
            f"and Wyoming knows no API keys: set {PREFIX}ALLOW_ANONYMOUS=on if everybody who "
            "reaches it may use it"
        )
    return problems


def is_secret(field_name: str) -> bool:
    """Whether a field's value must never be shown."""
    return field_name in _SECRETS


def unknown(environ: Optional[Mapping[str, str]] = None) -> List[str]:
    """Variables that look like settings and are none.

    They are worth a warning, not a refusal: Kubernetes sets such variables by
    itself in every pod beside a service named ``autovoice``.
    """
    environ = os.environ if environ is None else environ
    known = {PREFIX + field.name.upper() for field in msgspec.structs.fields(Settings)}
    known |= {PREFIX + name.upper() + _FILE for name in _IN_FILES}
    known.add(PREFIX + "API_KEY")  # the client's own, for `autovoice bench`
    return sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
