"""What Prometheus knows of one slot."""

import json
import math
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from deployer.environment import Settings
from deployer.errors import DeployError, Misused
from deployer.machine import Machine, Request

_QUERY_S = 4.0
_START_SLACK_S = 2.0

Get = Callable[[str], bytes]
"""What is at a path, such as `/api/v1/query?query=up`."""


class Figures(NamedTuple):
    """Of one slot, since its server started."""

    requests: int
    """For speech; without those that clients gave up or got wrong."""
    failed: int
    http_requests: int
    http_failed: int
    p95_s: Optional[float]
    """Of the time to first audio; None while there was none."""


class NoData(Exception):
    """Prometheus does not answer, or does not know."""


class Prometheus:
    """Queries, through whatever leads to it."""

    def __init__(self, get: Get) -> None:
        self._get = get

    def figures(self, slot: str, started: float) -> Figures:
        """What it knows of a slot now.

        Args:
            slot: the server's name for itself.
            started: when its container did, in Unix time. What was in that slot before does not
                count.

        Raises:
            NoData: nothing, yet.
        """
        of = _of(slot)
        begins = self._values(f"min(process_start_time_seconds {of})")
        if not begins:
            raise NoData(f"Prometheus knows no {slot}")
        if begins[0][1] < started - _START_SLACK_S:
            raise NoData(f"Prometheus has not seen the new {slot} yet")
        outcomes = self._by(
            "outcome", f"sum by (outcome) (autovoice_synthesis_requests_total {of})"
        )
        codes = self._by(
            "code",
            "sum by (code) (autovoice_http_requests_total" f'{{route!~"/health.*|/metrics"}} {of})',
        )
        return Figures(
            requests=int(sum(n for of, n in outcomes.items() if of not in _NOT_COUNTED)),
            failed=int(sum(n for of, n in outcomes.items() if of in _FAILED)),
            http_requests=int(sum(codes.values())),
            http_failed=int(sum(n for code, n in codes.items() if code.startswith("5"))),
            p95_s=self._p95(f"sum by (le) (autovoice_synthesis_first_audio_seconds_bucket {of})"),
        )

    def p95_s(self, slot: str, at: float, window_s: int) -> Optional[float]:
        """95th percentile of a slot's time to first audio in a window that ended at ``at``.

        Raises:
            NoData: Prometheus does not answer. That there was no traffic is None.
        """
        bucket = f"increase(autovoice_synthesis_first_audio_seconds_bucket[{window_s}s])"
        return self._p95(f"sum by (le) ({bucket} {_of(slot, window_s)})", at)

    def _p95(self, buckets: str, at: Optional[float] = None) -> Optional[float]:
        found = self._values(f"histogram_quantile(0.95, {buckets})", at)
        return found[0][1] if found and math.isfinite(found[0][1]) else None

    def _by(self, label: str, query: str) -> Dict[str, float]:
        return {labels.get(label, ""): value for labels, value in self._values(query)}

    def _values(self, query: str, at: Optional[float] = None) -> List[Any]:
        asked = {"query": query, "timeout": f"{int(_QUERY_S)}s"}
        if at is not None:
            asked["time"] = f"{at:.3f}"
        try:
            answer = json.loads(self._get("/api/v1/query?" + urllib.parse.urlencode(asked)))
            if answer["status"] != "success":
                raise NoData(f"Prometheus says: {answer.get('error')}")
            result = answer["data"]["result"]
            return [(each["metric"], float(each["value"][1])) for each in result]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise NoData(f"Prometheus does not answer: {error or type(error).__name__}") from None


def prometheus_for(settings: Settings, machines: Dict[str, Machine]) -> Prometheus:
    """The way to it: from here, or from one of the hosts.

    Raises:
        Misused: the URL is none that can be gone.
        DeployError: the token's file cannot be read.
    """
    url = urllib.parse.urlsplit(settings.prometheus_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Misused(f"PROMETHEUS_URL={settings.prometheus_url} is not http or https")
    bearer = ""
    if settings.prometheus_token_file:
        try:
            bearer = Path(settings.prometheus_token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise DeployError(f"PROMETHEUS_TOKEN_FILE: {error}") from None
    base = url.path.rstrip("/")
    if not settings.prometheus_via:
        root = f"{url.scheme}://{url.netloc}{base}"
        return Prometheus(lambda path: _fetch(root + path, bearer))
    if url.scheme != "http":
        raise Misused("PROMETHEUS_VIA goes with http only")
    machine, address, port = machines[settings.prometheus_via], url.hostname, url.port or 80

    def get(path: str) -> bytes:
        request = Request("GET", port, base + path, key=bearer, address=address)
        return machine.ask(request, _QUERY_S).body

    return Prometheus(get)


_NOT_COUNTED = ("cancelled", "invalid")
_FAILED = ("error", "timeout", "rejected", "empty")


def _of(slot: str, within_s: int = 0) -> str:
    """Of the targets that are this slot, or were within so many seconds: after one failed scrape
    Prometheus calls it gone."""
    which = f'autovoice_deployment_info{{slot="{slot}"}}'
    which = f"max_over_time({which}[{within_s}s])" if within_s else which
    return f"* on (job, instance) group_left () max by (job, instance) ({which})"


def _fetch(url: str, bearer: str) -> bytes:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=_QUERY_S) as answer:  # nosec B310: http only
        body: bytes = answer.read()
        return body
