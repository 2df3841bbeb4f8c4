"""Docker's commands, as words."""

from typing import Dict, List, Set, Tuple

from deployer.command import Command, changes, reads
from deployer.environment import Environment, Host
from deployer.files import SERVER_UID

LABEL = "org.autovoice"
KEPT = "kept"
"""The role of what a slot held before, until the new version has passed."""

_STATE = (
    '{"id": {{json .Id}}, "running": {{json .State.Running}}, "restarts": {{json .RestartCount}}, '
    '"started": {{json .State.StartedAt}}, "status": {{json .State.Status}}, '
    '"image": {{json .Image}}, "labels": {{json .Config.Labels}}}'
)
_HARDENED = (
    *("--restart", "unless-stopped", "--network", "host", "--read-only", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
    *("--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=5"),
)


def pull(image: str) -> Command:
    """Fetch an image from its registry."""
    return changes("docker", "pull", "--quiet", image)


def digests(image: str) -> Command:
    """An image's id and the digests that registries know it by, if it is there."""
    return reads("docker", "image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", image)


def look(container: str) -> Command:
    """How a container is, as JSON; fails if there is none."""
    return reads("docker", "container", "inspect", "--format", _STATE, container)


def listing(environment: str, prefix: str) -> Command:
    """All containers of an environment on a host."""
    return reads(
        *("docker", "ps", "--all", "--no-trunc", "--format", "{{json .}}"),
        *("--filter", f"label={LABEL}.environment={environment}"),
        *("--filter", f"name=^/?{prefix}-"),
    )


def logs(container: str) -> Command:
    """The last that a container said."""
    return reads("docker", "logs", "--tail", "15", container)


def run(
    environment: Environment,
    host: Host,
    slot: str,
    release: Tuple[str, str, str],
    user: Tuple[int, int],
) -> Command:
    """Start a version in a slot.

    Args:
        release: its version, its image and the deploy it belongs to.
        user: uid and gid of who logs in. Root's servers run as the image's own user.
    """
    settings = host.settings
    version, image, deploy = release
    words = ["docker", "run", "--detach", "--pull", "never", "--name", host.container(slot)]
    words += [*_HARDENED, "--memory", settings.memory, "--pids-limit", "2048"]
    words += ["--tmpfs", "/tmp"]  # nosec B108: the container's own
    words += ["--stop-timeout", str(settings.stop_s)]
    words += ["--user", f"{SERVER_UID}:{SERVER_UID}" if user[0] == 0 else "%d:%d" % user]
    words += ["--gpus", settings.gpus] if settings.gpus else []
    labels = {"environment": environment.name, "host": host.name, "version": version}
    for name, value in {**labels, "slot": slot, "deploy": deploy}.items():
        words += ["--label", f"{LABEL}.{name}={value}"]
    words += ["--mount", f"type=bind,src={settings.data_dir},dst=/var/lib/autovoice"]
    words += ["--mount", f"type=bind,src={host.at('cache')},dst=/var/cache/autovoice"]
    variables = {
        "AUTOVOICE_CACHE_DIR": "/var/cache/autovoice",
        # There is a server at the same address when it stops: clients may come back at once.
        "AUTOVOICE_WEBSOCKET_CLOSE_CODE": "1012",
        **dict(settings.server),
        "AUTOVOICE_HOST": "127.0.0.1",
        "AUTOVOICE_PORT": str(settings.port(slot)),
        "AUTOVOICE_DEPLOYMENT_SLOT": slot_name(environment, host, slot),
    }
    for secret in settings.secrets.split():
        source, inside = f"{settings.secrets_dir}/{secret}", f"/run/secrets/{secret}"
        words += ["--mount", f"type=bind,src={source},dst={inside},readonly"]
        variables[f"AUTOVOICE_{secret.upper()}_FILE"] = inside
    for name, value in variables.items():
        words += ["--env", f"{name}={value}"]
    return changes(*words, image)


def run_proxy(host: Host, environment: str, user: Tuple[int, int]) -> Command:
    """Start the proxy on what is in its folder."""
    settings = host.settings
    words = ["docker", "run", "--detach", "--name", host.container("proxy"), *_HARDENED]
    # Ports below 1024 are root's. Beside that it is nobody in particular.
    if settings.public_port < 1024 or 0 < settings.metrics_port < 1024:
        words += ["--user", "0:0", "--cap-add", "NET_BIND_SERVICE", "--cap-add", "DAC_OVERRIDE"]
        words += ["--cap-add", "CHOWN"]
    else:
        words += ["--user", "%d:%d" % user]
    words += ["--label", f"{LABEL}.environment={environment}", "--label", f"{LABEL}.slot=proxy"]
    folder = host.at("proxy")
    words += ["--mount", f"type=bind,src={folder},dst=/etc/autovoice,readonly"]
    words += ["--mount", f"type=bind,src={folder}/run,dst=/run/autovoice"]
    if settings.tls_certificate:
        words += ["--mount", f"type=bind,src={settings.tls_certificate},dst=/run/tls.pem,readonly"]
    words += ["--entrypoint", "haproxy", settings.proxy_image, "-W", "-db"]
    return changes(*words, "-f", "/etc/autovoice/haproxy.cfg", "-f", "/etc/autovoice/slots.cfg")


def check_proxy(host: Host, user: Tuple[int, int]) -> Command:
    """Whether HAProxy understands what is in its folder."""
    words = ["docker", "run", "--rm", "--network", "none", "--user", "%d:%d" % user]
    words += ["--mount", f"type=bind,src={host.at('proxy')},dst=/etc/autovoice,readonly"]
    if host.settings.tls_certificate:
        certificate = host.settings.tls_certificate
        words += ["--mount", f"type=bind,src={certificate},dst=/run/tls.pem,readonly"]
    words += ["--entrypoint", "haproxy", host.settings.proxy_image, "-c", "-q"]
    return changes(*words, "-f", "/etc/autovoice/haproxy.cfg", "-f", "/etc/autovoice/slots.cfg")


def reload_proxy(host: Host) -> Command:
    """Have it read its files anew; what is open stays open."""
    return changes("docker", "kill", "--signal", "USR2", host.container("proxy"))


def start(container: str) -> Command:
    """Start one that was stopped."""
    return changes("docker", "start", container)


def stop(container: str, seconds: int) -> Command:
    """Have one end, in an orderly way if it does so in time."""
    return changes("docker", "stop", "--time", str(seconds), container)


def remove(container: str) -> Command:
    """Delete one, whatever it does; none is fine, too."""
    return changes(
        *("sh", "-c", '! docker container inspect "$1" >/dev/null 2>&1 || docker rm --force "$1"'),
        *("remove", container),
    )


def rename(container: str, name: str) -> Command:
    """Give one another name; none is fine, too."""
    script = '! docker container inspect "$1" >/dev/null 2>&1 || docker rename "$1" "$2"'
    return changes("sh", "-c", script, "rename", container, name)


def images(repository: str) -> Command:
    """All that is there of one name, the newest first."""
    words = ("docker", "image", "ls", "--no-trunc", "--digests", "--format")
    return reads(*words, "{{.ID}} {{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}", repository)


def idle_images(listed: str, needed: Set[str], keep: int) -> List[str]:
    """Names of images to delete: all but the newest ``keep``, and those that are needed.

    Args:
        listed: what `images` printed.
        needed: ids, or names by digest.
    """
    names: Dict[str, List[str]] = {}
    for line in listed.splitlines():
        identity, *known = line.split(" ")
        names.setdefault(identity, []).extend(name for name in known if "<none>" not in name)
    idle = [each for each in names if not needed & {each, *names[each]}]
    return [name for each in idle[keep:] for name in dict.fromkeys(names[each])]


def remove_image(image: str) -> Command:
    """Delete an image, or one of its names; what is in use stays."""
    return changes("docker", "image", "rm", image)


def slot_name(environment: Environment, host: Host, slot: str) -> str:
    """The server's name for itself, in its metrics."""
    return f"{environment.name}/{host.name}/{slot}"
