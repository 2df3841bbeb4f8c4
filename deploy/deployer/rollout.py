"""A version onto all hosts, or onto none: which phase comes when, and what follows a failure."""

import secrets
import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Callable, Dict, List, Optional

from deployer.chronicle import Chronicle, now
from deployer.environment import Environment
from deployer.errors import (
    DeployError,
    Inconclusive,
    Misused,
    NoImage,
    Unclear,
)
from deployer.judge import Judge
from deployer.machine import Machine
from deployer.prometheus import Prometheus, prometheus_for
from deployer.signals import signals_wait
from deployer.signatures import verified, verify
from deployer.site import Site, way_back
from deployer.state import UNDER_TRIAL, Underway, other

HELD = 13


def new_id() -> str:
    """A deploy's name: when it began, and something that no other has."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ-") + secrets.token_hex(2)


class Rollout:
    """One deploy. All hosts are connected and locked already."""

    def __init__(
        self, environment: Environment, machines: Dict[str, Machine], chronicle: Chronicle
    ) -> None:
        self._environment = environment
        self._machines = machines
        self._chronicle = chronicle
        self._dry = any(machine.dry for machine in machines.values())
        self.sites = [Site(environment, machines[host.name]) for host in environment.hosts]
        current = self.sites[0].state.current
        self._chronicle.before = current.version if current else ""
        self.has_begun = False
        """Whether there was anything to do."""
        self.went_back = False
        """Whether listeners had heard the new version before."""

    # --- what is asked for ----------------------------------------------------------------------

    def deploy(self, version: str, force: bool) -> int:
        """Have all hosts serve this version; the exit status.

        Raises:
            DeployError: they do not; traffic is as its status says.
        """
        held = self._held(version)
        if held:
            return self._resume(held, force)
        self._recover()
        if not force and all(self._serves(site, version) for site in self.sites):
            print(f"{version} is there already", flush=True)
            return 0
        self._begin()
        image = self._have_images(version)
        for site in self.sites:
            self._timed(site, "proxy", site.prepare_proxy)
        identity, began = self._chronicle.deploy, now()
        plans = {}
        for site in self.sites:
            active = site.state.active
            to_slot = other(active) if active else "blue"
            plans[site.host.name] = Underway(
                identity, version, image, active, to_slot, "start", began
            )
        return self._through(self.sites, plans, judged=True)

    def back(self) -> int:
        """Have all hosts serve the version before the current one; the exit status.

        Raises:
            Misused: there is none.
            DeployError: it does not work; traffic is as its status says.
        """
        if self._recover():
            print("an unfinished deploy was taken back", flush=True)
            return 0
        plans = {}
        for site in self.sites:
            plan = way_back(site)
            if plan is None:
                raise Misused(f"{site.host.name} has no version before the current one")
            plans[site.host.name] = replace(plan, id=self._chronicle.deploy, began=now())
        self._chronicle.version = plans[self.sites[0].host.name].version
        self._begin("back by hand")
        for site in self.sites:
            self._timed(site, "proxy", site.prepare_proxy)
        self.went_back = True
        return self._through(self.sites, plans, judged=False)

    def _begin(self, detail: str = "") -> None:
        self.has_begun = True
        self._chronicle.tell("start", detail=detail)

    # --- the way forward ------------------------------------------------------------------------

    def _through(self, sites: List[Site], plans: Dict[str, Underway], judged: bool) -> int:
        begun: List[Site] = []
        try:
            for site in sites:
                begun.append(site)
                self._try_out(site, plans[site.host.name], judged)
        except Inconclusive as error:
            if self._environment.settings.inconclusive == "hold":
                self._hold(begun, error)
                return HELD
            self._go_back(begun, error)
            raise
        except BaseException as error:
            self._go_back(begun, error)
            raise
        self._finish(sites)
        return 0

    def _try_out(self, site: Site, plan: Underway, judged: bool) -> None:
        """On one host, up to the verdict."""
        slot = plan.to_slot
        site.save(site.state.begun(plan))
        if site.settings.slots == "one":
            self._phase(site, "hold", lambda: site.hold(plan))
        self._phase(site, "start", lambda: site.start(plan))
        self._phase(site, "ready", lambda: site.ready(slot))
        judge = self._judge_of(site, plan) if judged and not self._dry else None
        self._phase(site, "speak", lambda: site.speak(slot))
        if judge is not None:
            judge.hear_the_old()
        self._phase(site, "switch", lambda: site.switch(slot))
        if judged:
            self._phase(site, "bake", lambda: self._watch(site, judge))

    def _judge_of(self, site: Site, plan: Underway) -> Judge:
        return Judge(site, plan, self._prometheus())

    def _watch(self, site: Site, judge: Optional[Judge]) -> str:
        if judge is None:
            print(f"would: watch it for {site.settings.bake_s:g} s", flush=True)
            return ""
        return judge.watch()

    def _finish(self, sites: List[Site]) -> None:
        """It has passed everywhere. Nothing stops this any more.

        Raises:
            Unclear: not all of it worked.
        """
        try:
            with signals_wait("finishing: the new version has passed"):
                for site in sites:
                    self._timed(site, "accept", site.accept)
                self._finish_accepted(sites)
        except DeployError as error:
            text = f"the new version serves, but not all was tidied up; run it again: {error}"
            raise Unclear(text) from error

    def _finish_accepted(self, sites: List[Site]) -> None:
        for site in sites:
            plan = _plan(site)
            self._phase(site, "drain", lambda: _open_words(site.drain(plan)))
            self._phase(site, "stop", lambda: site.stop(plan))
            self._phase(site, "prune", site.prune)
            site.save(site.state.ended())

    # --- the way back ---------------------------------------------------------------------------

    def _go_back(self, sites: List[Site], why: BaseException) -> None:
        """First the traffic, on every host; then the rest.

        Raises:
            Unclear: it did not work everywhere.
        """
        problems: List[str] = []
        with signals_wait("going back"):
            self.went_back = self.went_back or any(site.switched_at for site in sites)
            for step in ("traffic", "rest"):
                for site in reversed(sites):
                    try:
                        self._back_on(site, step, why)
                    except (DeployError, OSError) as error:
                        problems.append(str(error))
        if problems:
            raise Unclear(
                f"{why}; and going back did not work: " + "; ".join(dict.fromkeys(problems))
            ) from why

    def _back_on(self, site: Site, step: str, why: BaseException) -> None:
        plan = site.state.deploy
        if plan is None:
            return
        if step == "traffic":
            self._timed(site, "back", lambda: site.traffic_back(plan), detail=str(why))
        else:
            self._timed(site, "clear", lambda: site.clear_away(plan))
            site.save(site.state.ended())

    # --- what an earlier deploy left ------------------------------------------------------------

    def _recover(self) -> bool:
        """Bring to an end what was killed: forward if it had passed everywhere, else back.

        Returns:
            Whether something was taken back.
        """
        left = [site for site in self.sites if site.state.deploy is not None]
        passed = {_plan(site).id for site in left if _plan(site).phase not in UNDER_TRIAL}
        # A host that is done already tells it, too.
        passed |= {
            release.deploy
            for site in self.sites
            for release in [site.state.current]
            if release is not None and any(_plan(one).id == release.deploy for one in left)
        }
        forward = [site for site in left if _plan(site).id in passed]
        back = [site for site in left if site not in forward]
        for site in left:
            way = "forward" if site in forward else "back"
            text = f"deploy {_plan(site).id} ended in phase {_plan(site).phase}: going {way}"
            self._chronicle.note(site.machine, "recover", "ok", 0.0, _plan(site).to_slot, text)
            self._timed(site, "proxy", lambda: site.prepare_proxy(directs=False))
        if back:
            self._go_back(back, DeployError("an unfinished deploy"))
        for site in forward:
            if _plan(site).phase in UNDER_TRIAL:
                site.save(site.state.accepted())
        self._finish_accepted(forward)
        return bool(back)

    # --- held -----------------------------------------------------------------------------------

    def _hold(self, begun: List[Site], why: Inconclusive) -> None:
        for site in begun:
            site.save(site.state.reached("held"))
            self._chronicle.note(
                site.machine, "held", "inconclusive", 0.0, _plan(site).to_slot, str(why)
            )

    def _held(self, version: str) -> List[Site]:
        """Hosts where this very version waits for a decision."""
        return [
            site
            for site in self.sites
            if site.state.deploy is not None
            and site.state.deploy.phase == "held"
            and site.state.deploy.version == version
        ]

    def _resume(self, held: List[Site], force: bool) -> int:
        """Go on with a version that was held: judge it again, or take it as good.

        It had been on some hosts only, where the verdict was missing on the canary.
        """
        plan = _plan(held[0])
        self._begin("held before")
        rest = [site for site in self.sites if site not in held]
        try:
            for site in held:
                if not force:
                    self._phase(site, "bake", lambda: self._judge_of(site, _plan(site)).watch())
        except Inconclusive as error:
            self._hold(held, error)
            return HELD
        except BaseException as error:
            for site in held:
                site.switched_at = site.switched_at or time.monotonic()
            self._go_back(held, error)
            raise
        plans = {}
        for site in rest:
            active = site.state.active
            to_slot = other(active) if active else "blue"
            plans[site.host.name] = Underway(
                plan.id, plan.version, plan.image, active, to_slot, "start", now()
            )
        begun = list(held)
        try:
            for site in rest:
                self._image_on(site, plan.image)
                self._timed(site, "proxy", site.prepare_proxy)
                begun.append(site)
                self._try_out(site, plans[site.host.name], judged=not force)
        except BaseException as error:
            self._go_back(begun, error)
            raise
        self._finish(self.sites)
        return 0

    # --- images ---------------------------------------------------------------------------------

    def _have_images(self, version: str) -> str:
        settings = self._environment.settings
        joint = "@" if version.startswith("sha256:") else ":"
        image = f"{settings.image}{joint}{version}"
        if settings.signature == "cosign":
            if self._dry:
                print("would: " + " ".join(verify(settings, image)), flush=True)
            else:
                began = time.monotonic()
                image = f"{settings.image}@{verified(settings, image)}"
                seconds = time.monotonic() - began
                self._chronicle.note(None, "verify", "ok", seconds, detail=image)
        first = self._image_on(self.sites[0], image)
        for site in self.sites[1:]:
            found = self._image_on(site, first if "@" in first else image)
            if found != first:
                raise NoImage(f"{site.host.name} has another {image} than the canary: {found}")
        return first

    def _image_on(self, site: Site, image: str) -> str:
        found: List[str] = []
        self._timed(site, "pull", lambda: found.append(site.pull(image)))
        return found[0]

    # --- around each phase ----------------------------------------------------------------------

    def _phase(self, site: Site, name: str, work: Callable[[], Optional[object]]) -> None:
        """Say in the state that it begins, do it, and log how it ended."""
        if _plan(site).phase != name:
            site.save(site.state.reached(name))
        self._timed(site, name, work)

    def _timed(
        self, site: Site, name: str, work: Callable[[], Optional[object]], detail: str = ""
    ) -> None:
        began = time.monotonic()
        outcome, text = "failed", detail
        try:
            result = work()
            outcome = "ok"
            text = detail or (result if isinstance(result, str) else "")
        except DeployError as error:
            outcome, text = error.outcome, str(error)
            raise
        except BaseException as error:
            text = repr(error)
            raise
        finally:
            plan = site.state.deploy
            slot = plan.to_slot if plan else ""
            seconds = time.monotonic() - began
            self._chronicle.note(site.machine, name, outcome, seconds, slot, text)

    def _serves(self, site: Site, version: str) -> bool:
        current = site.state.current
        if current is None or site.state.active is None or current.version != version:
            return False
        return site.is_running(site.state.active) and site.is_running("proxy")

    def _prometheus(self) -> Optional[Prometheus]:
        if self._environment.settings.gate != "prometheus":
            return None
        return prometheus_for(self._environment.settings, self._machines)


def _plan(site: Site) -> Underway:
    plan = site.state.deploy
    assert plan is not None  # nosec B101: asked for only while there is one
    return plan


def _open_words(left: int) -> str:
    return f"{left} still open at the deadline" if left else ""
