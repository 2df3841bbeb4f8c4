"""One host during a deploy: what each phase does there. Which comes when is `rollout`'s."""

import json
import time
from typing import Any, Dict, Optional

from deployer import docker, files, proxy
from deployer.command import Command
from deployer.environment import Environment, Host, Settings
from deployer.errors import DeployError, NoImage, NotReady, Unclear
from deployer.machine import Machine, Request
from deployer.speech import fault_of, speech_request
from deployer.state import State, Underway, loaded, other

_POLL_S = 0.25
_PROXY_START_S = 15.0
_MOST_RESTARTS = 3
_ARRIVING_S = 1.0
"""How long a request that was just sent to a slot may take to be heard there."""
_UNHEARD = ("hold", "start", "ready", "speak")


class Site:
    """A host, its state, and what can be done with it."""

    def __init__(self, environment: Environment, machine: Machine) -> None:
        """Read the host's state.

        Raises:
            DeployError: that did not work, or it is damaged.
        """
        self.environment = environment
        self.machine = machine
        self.state: State = loaded(machine.run(files.read(self.host.at("state.json"))).out)
        self.switched_at: Optional[float] = None
        """Monotonic seconds."""
        self.seen_before: Dict[str, proxy.Counts] = {}
        """What the proxy had counted when traffic was switched."""

    @property
    def host(self) -> Host:
        """Its name and settings."""
        return self.machine.host

    @property
    def settings(self) -> Settings:
        """Those of the host."""
        return self.machine.host.settings

    def save(self, state: State) -> None:
        """Write the state down, and go on with it."""
        self.machine.run(files.save(self.host, state))
        self.state = state

    def look(self, role: str) -> Optional[Dict[str, Any]]:
        """How a container is; None if there is none."""
        done = self.machine.run(docker.look(self.host.container(role)), check=False)
        if done.status != 0:
            if "no such" in done.err.lower() or self.machine.dry:
                return None
            raise DeployError(f"{self.host.name}: docker does not tell: {done.err.strip()}")
        found: Dict[str, Any] = json.loads(done.out)
        return found

    def is_running(self, role: str) -> bool:
        """Whether a container is there and runs."""
        found = self.look(role)
        return bool(found and found["running"])

    def key(self) -> str:
        """An API key for requests of the deployer's own; empty where none is needed."""
        if self.settings.probe_key_file:
            with open(self.settings.probe_key_file, encoding="utf-8") as file:
                return _first_key(file.read())
        if "api_keys" in self.settings.secrets.split():
            return _first_key(
                self.machine.run(files.read(f"{self.settings.secrets_dir}/api_keys")).out
            )
        return ""

    # --- the image ------------------------------------------------------------------------------

    def pull(self, image: str) -> str:
        """Have an image; by which name it can never be another one: its digest, or its id.

        Raises:
            NoImage: it cannot be had.
        """
        there = self._name_of(image)
        is_fixed = there is not None and ("@" in image or image.startswith("sha256:"))
        pull = self.settings.pull
        if not is_fixed and (pull == "always" or (pull == "missing" and there is None)):
            try:
                self.machine.run(docker.pull(image))
            except DeployError as error:
                raise NoImage(str(error)) from None
            there = self._name_of(image)
        if there is None and self.machine.dry:
            return image
        if there is None:
            raise NoImage(f"{self.host.name} has no {image}")
        return there

    def _name_of(self, image: str) -> Optional[str]:
        done = self.machine.run(docker.digests(image), check=False)
        if done.status != 0:
            return None
        if "@" in image or image.startswith("sha256:"):
            return image
        identity, _, digests = done.out.strip().partition(" ")
        repository = image.rpartition(":")[0]
        for name in json.loads(digests or "[]") or []:
            if name.partition("@")[0] == repository:
                return str(name)
        return identity

    # --- the proxy ------------------------------------------------------------------------------

    def prepare_proxy(self, directs: bool = True) -> None:
        """Have it run, as its files and the state say.

        Args:
            directs: to the active slot. That may be stopped, where a deploy was killed.

        Raises:
            DeployError: it does not.
        """
        self.machine.run(files.make_folders(self.host))
        user = self.machine.user
        wanted = proxy.configuration(self.host, user)
        path = self.host.at("proxy", "haproxy.cfg")
        found = self.machine.run(files.read(path)).out
        container = self.look("proxy")
        if found != wanted or container is None:
            nothing = (proxy.TEMPLATES / "nothing.http").read_bytes().decode()
            self.machine.run(files.write(self.host.at("proxy", "nothing.http"), nothing))
            self._write_slots(self.state.active)
            self.machine.run(files.write(path, wanted))
            try:
                self.machine.run(docker.check_proxy(self.host, user))
            except DeployError:
                if found:
                    self.machine.run(files.write(path, found))
                raise
        if container is None:
            self.machine.run(docker.run_proxy(self.host, self.environment.name, user))
        elif not container["running"]:
            self.machine.run(docker.start(self.host.container("proxy")))
        elif found != wanted:
            self.machine.run(docker.reload_proxy(self.host))
        if self.machine.dry:
            return
        self._wait_for_proxy()
        serving = proxy.serving(self.machine.proxy("show stat", False))
        if directs and serving != self.state.active:
            self.direct(proxy.only(self.state.active), self.state.active)

    def direct(self, words: str, serving: Optional[str]) -> None:
        """Tell the proxy where requests go; it remembers that over its own restart.

        Raises:
            DeployError: it does not answer, or refuses.
        """
        answer = self.machine.proxy(words, True)
        if answer:
            raise DeployError(f"{self.host.name}: HAProxy says: {answer}")
        self._write_slots(serving)

    def counts(self) -> Dict[str, proxy.Counts]:
        """What the proxy has seen."""
        return proxy.counts(self.machine.proxy("show stat", False))

    def _write_slots(self, serving: Optional[str]) -> None:
        text = proxy.slots(self.host, serving)
        self.machine.run(files.write(self.host.at("proxy", "slots.cfg"), text))

    def _wait_for_proxy(self) -> None:
        deadline = time.monotonic() + _PROXY_START_S
        while True:
            try:
                self.counts()
                return
            except DeployError:
                if time.monotonic() > deadline:
                    said = self._last_words("proxy")
                    text = f"{self.host.name}: the proxy does not start: {said}"
                    raise DeployError(text) from None
                time.sleep(_POLL_S)

    # --- the phases -----------------------------------------------------------------------------

    def hold(self, deploy: Underway) -> None:
        """With room for one version only: requests wait, and the old one ends."""
        self.direct(proxy.hold(), proxy.HOLD)
        if deploy.from_slot:
            self.wait_until_idle(deploy.from_slot, self.settings.drain_s)
            self.machine.run(self._stop(deploy.from_slot))

    def start(self, deploy: Underway) -> None:
        """The new version's container, beside the old one's."""
        name, slot = self.host.container(deploy.to_slot), deploy.to_slot
        there = self.look(slot)
        if deploy.again and there is not None:
            self.machine.run(docker.start(name))
            return
        if there is not None:
            kept = self.host.container(docker.KEPT)
            self.machine.run(docker.remove(kept))
            self.machine.run(docker.rename(name, kept))
        release = (deploy.version, deploy.image, deploy.id)
        user = self.machine.user
        self.machine.run(docker.run(self.environment, self.host, slot, release, user))

    def ready(self, slot: str) -> None:
        """Wait until it is ready, several times in a row.

        Raises:
            NotReady: it is not, in time.
        """
        settings = self.settings
        deadline = time.monotonic() + settings.ready_timeout_s
        request = Request("GET", settings.port(slot), "/health/ready")
        in_a_row, said, looked = 0, "no answer", 0.0
        while in_a_row < settings.ready_count:
            try:
                answer = self.machine.ask(request, 5.0)
                in_a_row = in_a_row + 1 if answer.status == 200 else 0
                said = f"{answer.status} {answer.body[:300].decode(errors='replace')}"
            except OSError as error:
                in_a_row, said = 0, str(error) or "no answer"
            if self.machine.dry:
                return
            if in_a_row == 0 and time.monotonic() - looked > 1:
                looked = time.monotonic()
                found = self.look(slot)
                if not found or found["restarts"] >= _MOST_RESTARTS:
                    raise NotReady(f"it ends again and again: {self._last_words(slot)}")
            if time.monotonic() > deadline:
                raise NotReady(
                    f"not ready within {settings.ready_timeout_s:g} s ({said.strip()}): "
                    + self._last_words(slot)
                )
            if in_a_row < settings.ready_count:
                time.sleep(settings.ready_interval_s)

    def speak(self, slot: str) -> None:
        """Have it say something, which nobody but us hears.

        Raises:
            NotReady: what came was no speech.
        """
        settings = self.settings
        # With the deploy's name no cache has it: the engine has to speak.
        name = self.state.deploy.id if self.state.deploy else ""
        text = f"{settings.probe_text} {name}."
        request = speech_request(settings.port(slot), text, self.key())
        try:
            answer = self.machine.ask(request, settings.probe_timeout_s)
        except OSError as error:
            raise NotReady(f"it does not speak: {error or 'no answer'}") from None
        fault = None if self.machine.dry else fault_of(answer)
        if fault:
            raise NotReady(f"it does not speak: {fault}")

    def switch(self, slot: str) -> None:
        """New requests go to this slot; what is open at the other one stays open."""
        if not self.machine.dry:
            self.seen_before = self.counts()
        self.direct(proxy.switch(slot), slot)
        self.switched_at = time.monotonic()

    def accept(self) -> None:
        """The new version is the one that counts."""
        self.save(self.state.accepted())

    def drain(self, deploy: Underway) -> int:
        """Let what is open at the old slot end; how much did not, by the deadline."""
        left = 0
        if deploy.from_slot:
            since = self.switched_at or time.monotonic()
            spent_s = time.monotonic() - since
            left = self.wait_until_idle(deploy.from_slot, self.settings.drain_s - spent_s)
        return left

    def stop(self, deploy: Underway) -> None:
        """End the old version; its container stays, for a way back without a registry."""
        if deploy.from_slot and self.look(deploy.from_slot):
            self.machine.run(self._stop(deploy.from_slot))
        self.direct(proxy.only(deploy.to_slot), deploy.to_slot)

    def traffic_back(self, deploy: Underway) -> None:
        """Requests go to the old version again, at once where it runs.

        Raises:
            DeployError, NotReady: it does not, and cannot be brought to.
        """
        old = deploy.from_slot
        if old is None:
            self.direct(proxy.only(None), None)
            return
        if not self.is_running(old):
            self.direct(proxy.hold(), proxy.HOLD)
            if self.settings.slots == "one":
                self.machine.run(docker.stop(self.host.container(deploy.to_slot), 10), check=False)
            if self.look(old) is None:
                raise Unclear(f"{self.host.name}: the old version's container is gone")
            self.machine.run(docker.start(self.host.container(old)))
            try:
                self.ready(old)
            finally:
                # Late is better than never.
                self.direct(proxy.switch(old), old)
            return
        self.direct(proxy.switch(old), old)

    def clear_away(self, deploy: Underway) -> None:
        """The new version's container goes; what was in its slot before comes back."""
        slot, kept = deploy.to_slot, self.host.container(docker.KEPT)
        found = self.look(slot)
        belongs = (
            bool(found)
            and (found or {}).get("labels", {}).get(f"{docker.LABEL}.deploy") == deploy.id
        )
        if found and (belongs or deploy.again) and self._was_heard(deploy):
            # A server that is told to stop refuses what arrives after that.
            self.wait_until_idle(slot, _ARRIVING_S)
            self.machine.run(self._stop(slot), check=False)
        self.direct(proxy.only(deploy.from_slot), deploy.from_slot)
        if deploy.again:
            self.machine.run(docker.stop(self.host.container(slot), 10), check=False)
            return
        if belongs:
            self.machine.run(docker.remove(self.host.container(slot)))
        if not found or belongs:
            self.machine.run(docker.rename(kept, self.host.container(slot)))

    def prune(self) -> None:
        """Delete what nobody needs any more: of this environment only."""
        self.machine.run(docker.remove(self.host.container(docker.KEPT)))
        needed = {release.image for release in self.state.slots.values()}
        text = self.machine.run(docker.images(self.settings.image), check=False).out
        for name in docker.idle_images(text, needed, self.settings.keep_images):
            self.machine.run(docker.remove_image(name), check=False)

    def wait_until_idle(self, slot: str, timeout_s: float) -> int:
        """Wait until nothing is open at a slot; how much is, in the end."""
        if self.machine.dry:
            return 0
        deadline = time.monotonic() + timeout_s
        while True:
            left = self.counts()[slot].open
            if not left or time.monotonic() >= deadline:
                return left
            time.sleep(_POLL_S)

    def _was_heard(self, deploy: Underway) -> bool:
        """Whether somebody may be in the middle of a request to the new version."""
        return self.switched_at is not None or deploy.phase not in _UNHEARD

    def _stop(self, slot: str) -> Command:
        return docker.stop(self.host.container(slot), self.settings.stop_s)

    def _last_words(self, slot: str) -> str:
        done = self.machine.run(docker.logs(self.host.container(slot)), check=False)
        return " / ".join((done.out + done.err).strip().splitlines()[-3:])[-600:] or "no log"


def way_back(site: Site) -> Optional[Underway]:
    """To the version before the current one, or None if there is none."""
    if site.state.active is None:
        return None
    slot = other(site.state.active)
    release = site.state.slots.get(slot)
    if release is None:
        return None
    return Underway("", release.version, release.image, site.state.active, slot, "start", "", True)


def _first_key(text: str) -> str:
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            return line.rpartition(":")[2]
    return ""
