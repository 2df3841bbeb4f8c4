"""An environment file, read and checked: what each of its keys means, once for each host."""

import os
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

from deployer.errors import Misused

_LINE = re.compile(r"(?P<key>[A-Z][A-Z0-9_]*)(@(?P<host>[A-Za-z0-9._-]+))?=(?P<value>.*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CHOICES: Dict[str, Tuple[str, ...]] = {
    "slots": ("two", "one"),
    "pull": ("always", "missing", "never"),
    "gate": ("prometheus", "probes"),
    "inconclusive": ("rollback", "hold"),
    "signature": ("off", "cosign"),
}
_KINDS: Dict[str, Callable[[str], Any]] = {kind.__name__: kind for kind in (str, int, float)}
_SECRETS = ("api_keys", "redis_url", "metrics_token")
# These would be read by everyone who may list processes; and the rest is the deployer's own.
_NOT_ON_COMMAND_LINES = ("AUTOVOICE_API_KEYS", "AUTOVOICE_METRICS_TOKEN", "AUTOVOICE_REDIS_URL")
_OWN = ("AUTOVOICE_HOST", "AUTOVOICE_PORT", "AUTOVOICE_DEPLOYMENT_SLOT")


@dataclass(frozen=True)
class Settings:
    """The keys of `deploy/environments/example.env`, which explains them."""

    image: str = ""
    ssh: str = ""
    ssh_port: int = 22
    ssh_key: str = ""
    ssh_known_hosts: str = ""
    prefix: str = ""
    state_dir: str = ""
    data_dir: str = ""
    secrets_dir: str = ""
    secrets: str = ""
    public_address: str = "0.0.0.0"  # nosec B104: the proxy is what others reach
    public_port: int = 80
    tls_certificate: str = ""
    blue_port: int = 5101
    green_port: int = 5102
    metrics_address: str = "127.0.0.1"
    metrics_port: int = 0
    proxy_image: str = "haproxy:3.0"
    slots: str = "two"
    hold_s: int = 120
    gpus: str = ""
    memory: str = "2g"
    pull: str = "always"
    ready_count: int = 3
    ready_interval_s: float = 0.5
    ready_timeout_s: float = 120.0
    probe_text: str = "This version is about to be switched on."
    probe_timeout_s: float = 30.0
    probe_key_file: str = ""
    gate: str = "prometheus"
    prometheus_url: str = ""
    prometheus_via: str = ""
    prometheus_token_file: str = ""
    bake_s: float = 120.0
    gate_min_requests: int = 50
    gate_success: float = 0.99
    gate_p95_ratio: float = 1.5
    gate_p95_slack_s: float = 0.1
    gate_p95_max_s: float = 2.0
    baseline_s: int = 600
    inconclusive: str = "rollback"
    drain_s: float = 60.0
    keep_images: int = 3
    signature: str = "off"
    cosign_key: str = ""
    cosign_options: str = ""
    webhook_url: str = ""
    webhook_url_file: str = ""
    webhook_secret_file: str = ""
    grafana_url: str = ""
    grafana_token_file: str = ""
    audit_log: str = ""
    server: Tuple[Tuple[str, str], ...] = ()
    """Settings of the server itself: `AUTOVOICE_…`."""

    @property
    def stop_s(self) -> int:
        """Seconds that a container gets to end, as the server's documentation says."""
        return int(float(dict(self.server).get("AUTOVOICE_DRAIN_S") or 30)) + 10

    def port(self, slot: str) -> int:
        """Where a slot listens, on 127.0.0.1."""
        return self.blue_port if slot == "blue" else self.green_port


_HERE = (
    "ssh_key",
    "ssh_known_hosts",
    "probe_key_file",
    "prometheus_token_file",
    "cosign_key",
    "webhook_url_file",
    "webhook_secret_file",
    "grafana_token_file",
    "audit_log",
)
"""Keys that name a file on the operator's machine."""


class Host(NamedTuple):
    """One of an environment's hosts, with all that holds for it."""

    name: str
    settings: Settings

    @property
    def target(self) -> str:
        """Whom ssh is told to reach."""
        return self.settings.ssh or self.name

    def container(self, role: str) -> str:
        """A container's name: of a slot, of the proxy."""
        return f"{self.settings.prefix}-{role}"

    def at(self, *parts: str) -> str:
        """A path in the host's state folder."""
        return "/".join((self.settings.state_dir.rstrip("/"), *parts))


class Environment(NamedTuple):
    """All hosts of one environment; the first is the canary."""

    name: str
    settings: Settings
    hosts: Tuple[Host, ...]

    def only(self, names: List[str]) -> "Environment":
        """The same with some of its hosts.

        Raises:
            Misused: it has no such host.
        """
        unknown = [name for name in names if name not in [host.name for host in self.hosts]]
        if unknown:
            raise Misused(f"{self.name} has no host {unknown[0]}")
        return self._replace(hosts=tuple(host for host in self.hosts if host.name in names))


def read(name: str, folder: Path) -> Environment:
    """Read ``<name>.env``.

    Raises:
        Misused: there is no such file, or something in it is wrong; the message names all of it.
    """
    if not _NAME.fullmatch(name):
        raise Misused(f"{name!r} is no name of an environment")
    path = folder / f"{name}.env"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(sorted(found.stem for found in folder.glob("*.env"))) or "none"
        raise Misused(f"{path} cannot be read ({error.strerror}); there are: {known}") from None
    return parse(name, text, path.parent)


def parse(name: str, text: str, folder: Path) -> Environment:
    """An environment from its file's text; relative paths begin at ``folder``.

    Raises:
        Misused: something in it is wrong.
    """
    problems: List[str] = []
    common: Dict[str, str] = {}
    special: Dict[str, Dict[str, str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            problems.append(f"line {number} is not KEY=VALUE")
            continue
        values = special.setdefault(match["host"], {}) if match["host"] else common
        values[match["key"]] = _unquoted(match["value"].strip())
    names = common.pop("HOSTS", "").split()
    base = _settings(common, name, folder, problems)
    hosts = []
    for host in names:
        if not _NAME.fullmatch(host):
            problems.append(f"{host!r} is no name of a host")
        own = special.pop(host, {})
        settings = _settings({**common, **own}, name, folder, problems if own else [])
        hosts.append(Host(host, settings))
        problems.extend(_missing(host, settings))
    if not hosts:
        problems.append("HOSTS is empty")
    if len(set(names)) < len(names):
        problems.append("HOSTS names a host twice")
    problems.extend(f"{host} is none of HOSTS" for host in special)
    if base.prometheus_via and base.prometheus_via not in names:
        problems.append("PROMETHEUS_VIA is none of HOSTS")
    if problems:
        raise Misused(f"{name}.env: " + "; ".join(dict.fromkeys(problems)))
    return Environment(name, base, tuple(hosts))


def _settings(values: Mapping[str, str], name: str, folder: Path, problems: List[str]) -> Settings:
    kinds = {
        each.name: _KINDS[_name(each.type)] for each in fields(Settings) if each.name != "server"
    }
    found: Dict[str, Any] = {}
    server: Dict[str, str] = {}
    for key, value in values.items():
        field = key.lower()
        if key.startswith("AUTOVOICE_"):
            server[key] = value
            if key in _NOT_ON_COMMAND_LINES and value and not _is_harmless(key, value):
                problems.append(f"{key} is a secret: it belongs into a file, see SECRETS")
            if key in _OWN:
                problems.append(f"{key} is set by the deployer")
        elif field not in kinds:
            problems.append(f"there is no key {key}")
        elif value == "" and kinds[field] is not str:
            continue
        else:
            try:
                found[field] = kinds[field](value)
            except ValueError:
                problems.append(f"{key}={value} is no number")
            if kinds[field] is not str and found.get(field, 0) < 0:
                problems.append(f"{key}={value} is below 0")
            if field in _CHOICES and value not in _CHOICES[field]:
                problems.append(f"{key}={value} is none of {', '.join(_CHOICES[field])}")
    for field in _HERE:
        if found.get(field):
            found[field] = str(folder / os.path.expanduser(found[field]))
    settings = Settings(**found, server=tuple(sorted(server.items())))
    return replace(
        settings,
        prefix=settings.prefix or f"autovoice-{name}",
        data_dir=settings.data_dir or settings.state_dir.rstrip("/") + "/data",
        secrets_dir=settings.secrets_dir or settings.state_dir.rstrip("/") + "/secrets",
    )


def _missing(host: str, settings: Settings) -> List[str]:
    """What a host cannot do without."""
    server = dict(settings.server)
    wrong = []
    if not settings.image:
        wrong.append("IMAGE is empty")
    for key in ("STATE_DIR", "DATA_DIR", "SECRETS_DIR"):
        value = getattr(settings, key.lower())
        if not re.fullmatch(r"/[A-Za-z0-9._/-]+", value):
            wrong.append(f"{key} of {host} is no plain absolute path")
    if not _NAME.fullmatch(settings.prefix):
        wrong.append(f"PREFIX={settings.prefix} cannot begin a container's name")
    ports = [settings.public_port, settings.blue_port, settings.green_port]
    ports += [settings.metrics_port] if settings.metrics_port else []
    if len(set(ports)) < len(ports) or not all(0 < port < 65536 for port in ports):
        wrong.append(f"the ports of {host} are not different ones from 1 to 65535")
    if settings.ssh.startswith("-"):
        wrong.append(f"SSH of {host} begins with -")
    for secret in settings.secrets.split():
        if secret not in _SECRETS:
            wrong.append(f"SECRETS has {secret}, which is none of {', '.join(_SECRETS)}")
    if "api_keys" not in settings.secrets.split():
        if server.get("AUTOVOICE_ALLOW_ANONYMOUS") != "on":
            wrong.append("without api_keys in SECRETS, AUTOVOICE_ALLOW_ANONYMOUS=on is needed")
    if settings.gate == "prometheus" and not settings.prometheus_url:
        wrong.append("GATE=prometheus needs PROMETHEUS_URL (or GATE=probes)")
    named = settings.cosign_key or "--certificate-identity" in settings.cosign_options
    if settings.signature == "cosign" and not named:
        wrong.append(
            "SIGNATURE=cosign needs COSIGN_KEY, or --certificate-identity… in COSIGN_OPTIONS"
        )
    if settings.ready_count < 1:
        wrong.append("READY_COUNT is below 1")
    return wrong


def _is_harmless(key: str, value: str) -> bool:
    return key == "AUTOVOICE_REDIS_URL" and "@" not in value


def _name(kind: Any) -> str:
    return kind if isinstance(kind, str) else str(kind.__name__)


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
