"""A host in memory: containers, files, images, a proxy. For the order of things, not for Docker."""

import array
import json
import re
from pathlib import Path

from deployer import environment, proxy
from deployer.chronicle import Chronicle
from deployer.errors import DeployError
from deployer.machine import Answer, Done
from deployer.rollout import Rollout

TEXT = """
IMAGE=registry.example.org/autovoice
HOSTS=voice1 voice2
STATE_DIR=/var/lib/autovoice/test
AUTOVOICE_ALLOW_ANONYMOUS=on
GATE=probes
BAKE_S=0.2
GATE_MIN_REQUESTS=2
READY_INTERVAL_S=0
READY_TIMEOUT_S=0.3
DRAIN_S=0.2
"""
SPEECH = array.array("h", [0, 9000] * 2000).tobytes()


class Killed(BaseException):
    """What kill -9 looks like from the inside: nothing works any more."""


class World:
    """One host, which outlives deployers."""

    def __init__(self, host):
        self.host = host
        self.containers = {}
        self.files = {}
        self.serving = {"blue": "maint", "green": "maint", "hold": "maint"}
        self.open = {"blue": 0, "green": 0, "hold": 0}
        self.images = {}
        self.registry = {}
        self.versions = {}
        """Behaviour of each version: a set of `asleep`, `mute`, `late`, `loaded`, `broken`."""
        self.unhealthy_moments = []
        self.ready_seen = set()

    def release(self, version, *faults):
        """Have the registry know a version."""
        self.registry[f"registry.example.org/autovoice:{version}"] = f"sha256:{version}"
        self.versions[f"sha256:{version}"] = set(faults)

    @property
    def state(self):
        """state.json"""
        return json.loads(self.files.get(self.host.at("state.json"), "{}"))

    @property
    def active(self):
        """The version that was accepted."""
        state = self.state
        return state["slots"][state["active"]]["version"] if state.get("active") else None

    def slot(self, name):
        """A slot's container."""
        return self.containers.get(self.host.container(name))

    @property
    def heard(self):
        """Slots that get new requests."""
        return [name for name, state in self.serving.items() if state == "ready"]

    def check(self):
        """Nobody may be sent to a server that does not run."""
        for name in self.heard:
            if name != "hold" and "proxy" in str(list(self.containers)):
                container = self.slot(name)
                if container is None or not container["running"]:
                    self.unhealthy_moments.append(f"{name} serves and does not run")


class FakeMachine:
    """A connection to such a host."""

    dry = False
    user = (1000, 1000)

    def __init__(self, world, lives=None):
        self.world = world
        self.host = world.host
        self.lives = lives
        """Commands until the deployer is killed, shared by all machines."""
        self.log = []

    def _live(self):
        if self.lives is not None:
            if self.lives[0] <= 0:
                raise Killed
            self.lives[0] -= 1

    def run(self, command, check=True):
        if command.words[4:] and command.words[3] == "note":
            return Done(0, "", "")
        self._live()
        self.log.append(command)
        done = self._do(command)
        self.world.check()
        if check and done.status:
            raise DeployError(f"{command.shown()}: {done.err}")
        return done

    def _do(self, command):
        words, world = list(command.words), self.world
        if words[0] == "sh":
            name, arguments = words[3], words[4:]
            if name == "read":
                return Done(0, world.files.get(arguments[0], ""), "")
            if name == "write":
                world.files[arguments[0]] = command.stdin
            elif name == "remove":
                world.containers.pop(arguments[0], None)
            elif name == "rename" and arguments[0] in world.containers:
                assert arguments[1] not in world.containers
                world.containers[arguments[1]] = world.containers.pop(arguments[0])
            return Done(0, "", "")
        assert words[0] == "docker", words
        return getattr(self, "_" + words[1])(words)

    def _pull(self, words):
        image = words[-1]
        if image not in self.world.registry:
            return Done(1, "", "manifest unknown")
        self.world.images[image] = self.world.registry[image]
        return Done(0, "", "")

    def _image(self, words):
        if words[2] == "inspect":
            known = self.world.images
            identity = words[-1] if words[-1] in known.values() else known.get(words[-1])
            return Done(0, f"{identity} []\n", "") if identity else Done(1, "", "no such image")
        return Done(0, "", "")

    def _container(self, words):
        found = self.world.containers.get(words[-1])
        return Done(0, json.dumps(found), "") if found else Done(1, "", "No such container")

    def _run(self, words):
        if "--rm" in words:
            return Done(0, "", "")
        name = words[words.index("--name") + 1]
        if name in self.world.containers:
            return Done(1, "", "the name is in use")
        labels = dict(w.split("=", 1) for w in words if w.startswith("org.autovoice."))
        image = next((w for w in words if w.startswith("sha256:")), "proxy")
        self.world.containers[name] = {
            **{"id": f"{name}-{len(self.log)}", "running": True, "restarts": 0, "image": image},
            **{"started": "2026-01-01T00:00:00Z", "status": "running", "labels": labels},
        }
        return Done(0, name, "")

    def _start(self, words):
        self.world.containers[words[-1]]["running"] = True
        return Done(0, "", "")

    def _stop(self, words):
        if words[-1] not in self.world.containers:
            return Done(1, "", "No such container")
        self.world.containers[words[-1]]["running"] = False
        return Done(0, "", "")

    def _kill(self, words):
        return Done(0, "", "")

    def _logs(self, words):
        return Done(0, "its last words", "")

    def proxy(self, text, changes):
        self._live()
        if self.host.container("proxy") not in self.world.containers:
            raise DeployError("HAProxy does not answer")
        if text == "show stat":
            return stat(self.world)
        for part in text.split("; "):
            name, state = re.fullmatch(r"set server slots/(\w+) state (\w+)", part).groups()
            self.world.serving[name] = state
        self.world.check()
        return ""

    def ask(self, request, timeout_s):
        self._live()
        slot = {5101: "blue", 5102: "green"}[request.port]
        container = self.world.slot(slot)
        if container is None or not container["running"]:
            raise OSError("connection refused")
        faults = self.world.versions[container["image"]]
        if request.path == "/health/ready":
            return Answer(503 if "asleep" in faults else 200, b"{}", 0.0)
        if "mute" in faults:
            return Answer(200, b"\0" * 9000, 0.01)
        if "broken" in faults and slot in self.world.heard:
            return Answer(500, b"{}", 0.01)
        if "loaded" in faults and slot in self.world.heard:
            return Answer(200, SPEECH, 0.5)
        late = "late" in faults and slot in self.world.heard
        return Answer(200, SPEECH, 9.0 if late else 0.01)

    def close(self):
        pass


def stat(world):
    """What `show stat` prints."""
    lines = ["# pxname,svname,scur,status,req_tot,hrsp_5xx,eresp"]
    for name, state in world.serving.items():
        status = {"ready": "no check", "drain": "DRAIN", "maint": "MAINT"}[state]
        lines.append(f"slots,{name},{world.open[name]},{status},0,0,0")
    return "\n".join(lines)


def an_environment(more="", folder=Path("/nowhere")):
    """As above, with some lines more."""
    return environment.parse("test", TEXT + more, folder)


def worlds(chosen):
    """Its hosts, with versions v1 and v2 to be had."""
    found = {host.name: World(host) for host in chosen.hosts}
    for world in found.values():
        for version in ("v1", "v2"):
            world.release(version)
    return found


def a_rollout(chosen, found, tmp_path, version="v1", lives=None, identity="deploy-1"):
    """A deployer that begins."""
    settings = environment.replace(chosen.settings, audit_log=str(tmp_path / "audit.jsonl"))
    chosen = chosen._replace(settings=settings)
    machines = {name: FakeMachine(world, lives) for name, world in found.items()}
    return Rollout(chosen, machines, Chronicle(chosen, identity, version, False))


assert proxy.HOLD == "hold"
