"""Whether the new version is good, judged while it has the traffic.

It is bad as soon as any of four says so: its container, the proxy, requests of our own, or
Prometheus. It is good only if, at the end, the one that `GATE` names has seen enough of it: no
data is never a pass.
"""

import time
from datetime import datetime, timezone
from typing import Any, Dict, Optional

from deployer import proxy
from deployer.docker import slot_name
from deployer.errors import Inconclusive, JudgedBad
from deployer.prober import Prober, p95_s
from deployer.prometheus import Figures, NoData, Prometheus
from deployer.site import Site
from deployer.state import Underway

_POLL_S = 1.0
_SHORT_POLL_S = 0.05
_MOST_BEFORE = 20
"""Requests to the old version before the switch."""
_PROBE_BY = 0.5
"""The part of the time by which the least number of requests is to have been made: the rest is for
Prometheus to see them."""

_GRACE = 0.5
"""So much of the time again, where too little was seen within it."""


class Judge:
    """One host's new version, from the switch on."""

    def __init__(self, site: Site, deploy: Underway, prometheus: Optional[Prometheus]) -> None:
        """``prometheus``: None where the gate does without."""
        self._site = site
        self._settings = site.settings
        self._deploy = deploy
        self._prometheus = prometheus
        self._figures: Optional[Figures] = None
        self._no_figures = "Prometheus was not asked"
        self._old_p95_s: Optional[float] = None
        self._new: Optional[Prober] = None

    def hear_the_old(self) -> None:
        """Where there is no Prometheus to ask: how fast the old version is while it still has the
        traffic. Afterwards, with nothing to do, it would be faster than any other."""
        old, settings = self._deploy.from_slot, self._settings
        if self._prometheus is not None or old is None or settings.slots != "two":
            return
        prober = self._prober(old, self._site.key())
        try:
            most = min(settings.gate_min_requests, _MOST_BEFORE)
            prober.want(most)
            give_up = time.monotonic() + settings.probe_timeout_s
            while len(prober.probes) < most and time.monotonic() < give_up:
                time.sleep(_SHORT_POLL_S)
            self._old_p95_s = p95_s(prober.probes)
        finally:
            prober.close()

    def watch(self) -> str:
        """Look for as long as the environment says; what was seen, in words.

        Raises:
            JudgedBad: it has failed.
            Inconclusive: too little was seen.
        """
        self._first = self._container()
        self._began, self._began_at = time.monotonic(), time.time()
        key = self._site.key()
        self._new = self._prober(self._deploy.to_slot, key)
        try:
            while True:
                spent_s = time.monotonic() - self._began
                self._look(spent_s)
                left_s = self._settings.bake_s - spent_s
                if left_s <= 0:
                    try:
                        return self._verdict()
                    except Inconclusive:
                        if -left_s >= self._grace_s():
                            raise
                time.sleep(min(_POLL_S, max(0.05, left_s)))
        finally:
            self._new.close()

    def _grace_s(self) -> float:
        """How long what is on its way is waited for, once the time is over."""
        grace_s = _GRACE * self._settings.bake_s
        # Without Prometheus, the deployer's own requests are all there is, and they do come.
        return grace_s if self._prometheus else max(grace_s, self._settings.probe_timeout_s)

    def _prober(self, slot: str, key: str) -> Prober:
        settings = self._settings
        name = f"{self._deploy.id} on {self._site.host.name}"
        return Prober(self._site.machine, settings.port(slot), key, name, settings.probe_timeout_s)

    def _remember_the_old(self) -> None:
        """What the old one was like before. Asked again until it is known: one failed scrape is
        enough for Prometheus not to know it for a moment."""
        if self._prometheus is None or self._deploy.from_slot is None:
            return
        if self._old_p95_s is not None:
            return
        name = slot_name(self._site.environment, self._site.host, self._deploy.from_slot)
        try:
            window_s = self._settings.baseline_s
            self._old_p95_s = self._prometheus.p95_s(name, self._began_at, window_s)
        except NoData as error:
            self._no_figures = str(error)

    # --- each look ------------------------------------------------------------------------------

    def _look(self, spent_s: float) -> None:
        self._look_at_container()
        self._look_at_proxy()
        self._look_at_prometheus()
        self._look_at_probes(spent_s)

    def _container(self) -> Dict[str, Any]:
        found = self._site.look(self._deploy.to_slot)
        if not found or not found["running"]:
            raise JudgedBad("its container does not run any more")
        return found

    def _look_at_container(self) -> None:
        found = self._container()
        for what in ("id", "restarts", "started"):
            if found[what] != self._first[what]:
                raise JudgedBad("its container ended and was started again")

    def _look_at_proxy(self) -> None:
        slot = self._deploy.to_slot
        before = self._site.seen_before.get(slot, proxy.Counts(0, 0, 0))
        now = self._site.counts()[slot]
        if now.requests >= before.requests:  # else the proxy itself was started anew
            self._is_enough("the proxy", now.requests - before.requests, now.failed - before.failed)

    def _look_at_prometheus(self) -> None:
        if self._prometheus is None:
            return
        self._remember_the_old()
        name = slot_name(self._site.environment, self._site.host, self._deploy.to_slot)
        try:
            self._figures = self._prometheus.figures(name, _unix(self._first["started"]))
        except NoData as error:
            self._figures, self._no_figures = None, str(error)
            return
        figures = self._figures
        self._is_enough("Prometheus", figures.requests, figures.failed)
        self._is_enough("Prometheus (HTTP)", figures.http_requests, figures.http_failed)
        if figures.requests >= self._settings.gate_min_requests:
            self._is_fast_enough(figures.p95_s, self._old_p95_s)

    def _look_at_probes(self, spent_s: float) -> None:
        assert self._new is not None  # nosec B101: see watch
        probes = self._new.probes
        failed = [probe.fault for probe in probes if probe.fault]
        self._is_enough("requests of our own", len(probes), len(failed), str(failed[:1]))
        part = min(1.0, spent_s / max(0.001, _PROBE_BY * self._settings.bake_s))
        due = int(part * self._settings.gate_min_requests + 0.999)
        seen = self._figures.requests if self._figures else 0
        # What Prometheus has seen holds our own ones, too.
        missing = due - max(seen, len(probes))
        if missing > 0:
            self._new.want(len(probes) + missing)

    # --- rules ----------------------------------------------------------------------------------

    def _is_enough(self, who: str, requests: int, failed: int, why: str = "") -> None:
        """Whether the failures could still be made up for by what is to come."""
        allowed = 1 - self._settings.gate_success
        if failed > allowed * max(requests, self._settings.gate_min_requests) + 1e-9:
            text = f"{who}: {failed} of {requests} requests failed"
            raise JudgedBad(f"{text} {why}".rstrip())

    def _is_fast_enough(self, new_s: Optional[float], old_s: Optional[float]) -> None:
        settings = self._settings
        if new_s is None:
            return
        most_s = settings.gate_p95_max_s
        if old_s is not None:
            most_s = min(most_s, old_s * settings.gate_p95_ratio + settings.gate_p95_slack_s)
        if new_s > most_s:
            was = f"{old_s:.3f} s" if old_s is not None else "unknown"
            raise JudgedBad(
                f"first audio after {new_s:.3f} s (95th percentile); the old version's was {was}, "
                f"{most_s:.3f} s would do"
            )

    def _verdict(self) -> str:
        assert self._new is not None  # nosec B101: see watch
        least = self._settings.gate_min_requests
        if self._prometheus is None:
            probes = self._new.probes
            if len(probes) < least:
                raise Inconclusive(f"only {len(probes)} of {least} requests were answered")
            new_s = p95_s(probes)
            old_s = self._old_p95_s
            self._is_fast_enough(new_s, old_s)
            return _words(len(probes), sum(1 for probe in probes if probe.fault), new_s, old_s)
        figures = self._figures
        if figures is None:
            raise Inconclusive(self._no_figures)
        if figures.requests < least:
            raise Inconclusive(f"Prometheus saw {figures.requests} requests, not {least}")
        if figures.p95_s is None:
            raise Inconclusive("Prometheus knows no time to first audio")
        return _words(figures.requests, figures.failed, figures.p95_s, self._old_p95_s)


def _words(requests: int, failed: int, new_s: Optional[float], old_s: Optional[float]) -> str:
    new = f"{new_s:.3f} s" if new_s is not None else "unknown"
    old = f"{old_s:.3f} s" if old_s is not None else "unknown"
    return f"{failed} of {requests} failed; first audio {new}, before {old} (95th percentile)"


def _unix(text: str) -> float:
    """Docker's time, such as 2026-11-29T22:00:00.123456789Z."""
    whole, _, rest = text.rstrip("Z").partition(".")
    seconds = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return seconds.timestamp() + float(f"0.{rest or 0}")
