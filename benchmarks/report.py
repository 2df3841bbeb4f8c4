"""Figures to the tables of docs/performance.md, and whether they are what they have to be."""

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence

from benchmarks.machine import BUSY_CORES

PAGE = "docs/performance.md"
DATA = "docs/performance.json"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

Results = Dict[str, Any]


class Target(NamedTuple):
    """A figure that has to be on the right side of its limit."""

    title: str
    limit: float
    value: Optional[float]
    """None: not measured."""
    at_least: bool = False
    """Whether the value has to reach the limit; else it must not exceed it."""
    unit: str = ""
    disturbed: bool = False
    """Whether others used the machine too much for the value to say anything."""

    @property
    def met(self) -> Optional[bool]:
        """None: nobody can say."""
        if self.value is None or self.disturbed:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def targets(results: Results) -> List[Target]:
    """What AutoVoice promises about its speed."""
    rounds = _get(results, "throughput", "rounds")
    eight = _row(results, "autovoice", 8)
    many = _row(results, "autovoice", 64)
    command = _row(results, "command", 8)
    times = eight["ratio"]["median"] / command["ratio"]["median"] if eight and command else None
    memory = _get(results, "memory", "autovoice")
    killed = results.get("kills")
    others: Dict[str, float] = results.get("others_cores", {})

    def disturbed(*rows: Optional[Results]) -> bool:
        return any(row is not None and 2 * row["quiet_rounds"] <= rounds for row in rows)

    def busy(section: str) -> bool:
        return others.get(section, 0.0) > BUSY_CORES

    return [
        Target(
            "requests a second at 8 clients, of the bare engine's",
            0.80,
            _get(eight, "ratio", "median"),
            at_least=True,
            disturbed=disturbed(eight),
        ),
        Target(
            "the same at 64 clients",
            0.80,
            _get(many, "ratio", "median"),
            at_least=True,
            disturbed=disturbed(many),
        ),
        Target(
            "p95 at 8 clients, of p50",
            1.5,
            _get(eight, "p95_to_p50"),
            disturbed=disturbed(eight),
        ),
        Target(
            "requests a second at 8 clients, of a process per request",
            5,
            times,
            at_least=True,
            disturbed=disturbed(eight, command),
        ),
        Target(
            "first audio of 2,000 words, p50",
            10,
            _get(results, "first_audio", "servers", "autovoice", "first_audio_ms", "p50"),
            unit=" ms",
            disturbed=busy("first_audio"),
        ),
        Target(
            "memory with the longest text, of that with 2,000 words",
            1.1,
            memory[-1]["peak_mb"] / memory[0]["peak_mb"] if memory else None,
        ),
        Target(
            "a sentence beside four long streams, p50 of idle",
            3,
            _get(results, "fairness", "autovoice", "ratio", "p50"),
            disturbed=busy("fairness"),
        ),
        Target(
            "a sentence beside four long streams, p95 of idle",
            6,
            _get(results, "fairness", "autovoice", "ratio", "p95"),
            disturbed=busy("fairness"),
        ),
        Target(
            "requests lost or mixed up while workers are killed",
            0,
            killed["lost"] + killed["wrong"] if killed else None,
        ),
        Target(
            "start until ready",
            1500,
            _get(results, "start", "ready_ms"),
            unit=" ms",
            disturbed=busy("start"),
        ),
        *_logging_targets(results, busy("logging")),
        *_watching_targets(results, busy("watching")),
        *_websocket_targets(results, busy("websocket")),
        *_scrape_targets(results, busy("scrapes")),
    ]


def render(results: Results) -> str:
    """All that stands between the page's markers, as Markdown."""
    parts = [_machine(results), _targets(results)]
    for key, section in (
        ("throughput", _throughput),
        ("first_audio", _first_audio),
        ("fairness", _fairness),
        ("memory", _memory),
        ("logging", _logging),
        ("websocket", _websocket),
    ):
        if key in results:
            parts.append(section(results[key]))
    parts.append(_rest(results))
    return "\n\n".join(filter(None, parts)) + "\n"


def insert(page: str, table: str, name: str = "bench") -> str:
    """The page with the table between the markers of this name."""
    marks = BEGIN.replace("bench", name), END.replace("bench", name)
    head, begin, rest = page.partition(marks[0])
    _, end, tail = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"the page has no {' … '.join(marks)}")
    return f"{head}{begin}\n\n{table}\n{end}{tail}"


def _machine(results: Results) -> str:
    machine, versions = results["machine"], results["versions"]
    lines = [
        f"Measured on {results['date']} with AutoVoice {versions['autovoice']}: "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']:g} GB, "
        f"{machine['system']}; Python {versions['python']}, espeak-ng {versions['espeak-ng']}, "
        f"gunicorn {versions['gunicorn']}, Flask {versions['flask']}; load by {versions['load']}."
    ]
    others = results.get("others_cores")
    if others:
        shown = ", ".join(f"{name.replace('_', ' ')} {cores:.2f}" for name, cores in others.items())
        lines.append(f"Cores that other processes took meanwhile: {shown}.")
    return "\n".join(lines)


def _targets(results: Results) -> str:
    rows = []
    for target in targets(results):
        if target.value is None:
            mark, value = "–", "not measured"
        else:
            mark = {True: "✓", False: "✗", None: "?"}[target.met]
            digits = ".0f" if target.value >= 100 else ".3g"
            value = f"{target.value:{digits}}{target.unit}"
            value += " (the machine was busy)" if target.disturbed else ""
        bound = f"{'≥' if target.at_least else '≤'} {target.limit:g}{target.unit}"
        rows.append((mark, target.title, bound, value))
    return _table(("", "target", "limit", "measured"), rows)


def _throughput(found: Results) -> str:
    rows = []
    for row in found["rows"]:
        rate, ratio, cpu = row["rate"], row.get("ratio"), row["cpu_ms"]
        rows.append(
            (
                row["title"],
                row.get("clients", "–"),
                f"{rate['median']:.0f}",
                _of(ratio) if ratio else "1",
                f"{row['cpu_ratio']['median']:.2f}" if ratio else "1",
                f"{row['p50_ms']:.1f} / {row['p95_ms']:.1f} / {row['p99_ms']:.1f}",
                " + ".join(f"{cpu[part]:.2f}" for part in ("web", "engine") if cpu.get(part)),
                f"{cpu['load']:.2f}" if "load" in cpu else "–",
                row["failed"],
                row.get("quiet_rounds", "–"),
            )
        )
    header = (
        "one sentence of 11 words",
        "clients",
        "requests/s",
        "of the engine (min – max)",
        "by CPU time",
        "p50 / p95 / p99 ms",
        "CPU ms (web + engine)",
        "CPU ms of the load",
        "failed",
        "undisturbed rounds",
    )
    title = f"### Requests a second ({found['rounds']} rounds of {found['seconds_a_run']} s each)"
    return f"{title}\n\n{_table(header, rows)}"


def _first_audio(found: Results) -> str:
    rows = [
        (
            _NAMES[name],
            *(_pair(seen[what]) for what in ("first_byte_ms", "first_audio_ms", "whole_ms")),
        )
        for name, seen in found["servers"].items()
    ]
    title = f"### First audio of a text of {found['words']:,} words ({found['times']} times)"
    header = ("idle server", "first byte ms", "first sample ms", "whole ms")
    return f"{title}\n\nEach p50 / p95, with the time to connect.\n\n{_table(header, rows)}"


def _fairness(found: Results) -> str:
    rows = [
        (
            _NAMES[name],
            _pair(seen["idle_ms"]),
            _pair(seen["busy_ms"]),
            f"{seen['ratio']['p50']:.1f} / {seen['ratio']['p95']:.1f}",
            f"{seen['idle_requests']:,} / {seen['busy_requests']:,}",
        )
        for name, seen in found.items()
    ]
    one = next(iter(found.values()))
    title = f"### One sentence beside {one['streams']} streams of {one['words']:,} words"
    header = ("", "idle ms", "beside the streams ms", "times as long", "requests idle / beside")
    return f"{title}\n\nEach p50 / p95.\n\n{_table(header, rows)}"


def _memory(found: Results) -> str:
    rows = [("AutoVoice, idle", "", _megabytes(found["idle"]))]
    rows.append(("AutoVoice, after the load", "", _megabytes(found["after_load"])))
    for key, title in _NAMES.items():
        for row in found[key]:
            rows.append(
                (
                    f"{title}, {row['words']:,} words",
                    f"{row['answer_mb']:,.0f}",
                    f"{row['peak_mb']:,.0f} at most",
                )
            )
    header = ("", "MB of the answer", "MB resident, all processes")
    return f"### Memory\n\n{_table(header, rows)}"


def _logging_targets(results: Results, disturbed: bool) -> List[Target]:
    us = _get(results, "logging", "us")
    if not us:
        return []
    return [
        Target(title, limit, us[name]["median"], unit=" µs", disturbed=disturbed)
        for name, title, limit in (
            ("plain", "a line of the log, if nobody looked for secrets", 10),
            ("redacting", "a line of the log", 20),
        )
    ]


def _logging(found: Results) -> str:
    titles = {
        "plain": "AutoVoice, if it looked for no secrets",
        "redacting": "AutoVoice",
        "redacting a secret": "AutoVoice, a line with a secret",
    }
    versions = found["versions"]
    rows = []
    for name, times in found["us"].items():
        title = titles.get(name) or f"{name} {versions[name]}"
        if name == "structlog":
            title += f" with orjson {versions['orjson']}"
        rows.append((title, f"{times['median']:.1f} ({times['low']:.1f} – {times['high']:.1f})"))
    title = f"### A line of the log ({found['rounds']} rounds of {found['records']:,} lines each)"
    return f"{title}\n\n{_table(('one record as JSON', 'CPU µs (min – max)'), rows)}"


def _watching_targets(results: Results, disturbed: bool) -> List[Target]:
    us = _get(results, "watching", "autovoice_us")
    if us is None:
        return []
    title = "metrics, ids and the log line of a request"
    return [
        Target(title, 60, us, unit=" µs", disturbed=disturbed),
        Target(
            "making what a scrape of /metrics gets, with every family",
            10,
            results["watching"]["scrape_ms"],
            unit=" ms",
            disturbed=disturbed,
        ),
    ]


def _scrape_targets(results: Results, disturbed: bool) -> List[Target]:
    found = results.get("scrapes")
    if not found:
        return []
    title = f"a scrape of /metrics after {found['recycled']} workers were replaced"
    return [Target(title, 15, found["after_ms"], unit=" ms", disturbed=disturbed)]


def _websocket_targets(results: Results, disturbed: bool) -> List[Target]:
    found = results.get("websocket")
    if found is None:
        return []
    many = f"{found['sessions']:,} WebSockets, {found['speaking']} speaking"
    return [
        Target(
            "WebSocket: a sentence's last character to its first audio, p50",
            25,
            found["first_audio_ms"]["p50"],
            unit=" ms",
            disturbed=disturbed,
        ),
        Target(
            "WebSocket: cancel to silence, p95",
            100,
            found["cancel_ms"]["p95"],
            unit=" ms",
            disturbed=disturbed,
        ),
        Target(
            f"{many}: first audio, p95",
            250,
            found["busy_ms"]["p95"],
            unit=" ms",
            disturbed=disturbed,
        ),
        Target(f"{many}: errors", 0, found["errors"]),
        Target("memory of a silent WebSocket", 150, found["session_kb"], unit=" kB"),
        Target("memory after an hour of live speech, of before", 1.05, found["soak"]["growth"]),
    ]


def _websocket(found: Results) -> str:
    soak = found["soak"]
    rows = [
        ("a sentence's last character to its first audio, idle ms", _pair(found["first_audio_ms"])),
        ("cancel to silence, ms", _pair(found["cancel_ms"])),
        (
            f"first audio with {found['sessions']:,} sessions, {found['speaking']} speaking, ms "
            f"({found['busy_ms']['times']:,} sentences)",
            _pair(found["busy_ms"]),
        ),
    ]
    memory = (
        f"A silent session takes {found['session_kb']:.0f} kB. While {soak['audio_s'] / 60:.0f} "
        f"minutes of speech were made in {soak['seconds']:.0f} s, in sessions that came and went, "
        f"the server had {soak['early_mb']:.1f} MB at first, {soak['late_mb']:.1f} MB in the end."
    )
    return f"### WebSocket\n\n{_table(('', 'p50 / p95'), rows)}\n\n{memory}"


def _rest(results: Results) -> str:
    rows: List[Sequence[Any]] = []
    start, killed, hit = (results.get(name) for name in ("start", "kills", "cache"))
    if start:
        rows.append(("start until /health/live", f"{start['live_ms']:.0f} ms"))
        rows.append(("start until /health/ready", f"{start['ready_ms']:.0f} ms"))
    watching = results.get("watching")
    if watching:
        rival = watching.get("rival_us")
        beside = (
            f"; prometheus-flask-exporter and python-json-logger {rival:.0f} µs" if rival else ""
        )
        title = "metrics, ids and the log line of a request"
        rows.append((title, f"{watching['autovoice_us']:.0f} µs{beside}"))
        rows.append(("a scrape of /metrics, made", f"{watching['scrape_ms']:.1f} ms"))
    scrapes = results.get("scrapes")
    if scrapes:
        title = f"a scrape of /metrics at first; after {scrapes['recycled']} workers were replaced"
        rows.append((title, f"{scrapes['first_ms']:.1f} ms; {scrapes['after_ms']:.1f} ms"))
    if hit:
        rows.append(
            ("answer from the cache, p50 / p95", f"{hit['p50_ms']:.2f} / {hit['p95_ms']:.2f} ms")
        )
    if killed:
        rows.append(
            (
                f"{killed['requests']:,} requests while {killed['kills']} workers are killed",
                f"{killed['lost']} lost, {killed['wrong']} wrong; "
                f"slowest {killed['slowest_ms']:.0f} ms",
            )
        )
    return f"### And\n\n{_table(('', ''), rows)}" if rows else ""


_NAMES = {"autovoice": "AutoVoice", "locked": "Flask + gunicorn, engine under a lock"}


def _megabytes(parts: Dict[str, float]) -> str:
    return f"{sum(parts.values()):,.0f} (web {parts['web']:.0f}, engine {parts['engine']:.0f})"


def _of(ratio: Dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} – {ratio['high']:.2f})"


def _pair(values: Dict[str, float]) -> str:
    return f"{values['p50']:.1f} / {values['p95']:.1f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _row(results: Results, server: str, clients: int) -> Optional[Results]:
    rows: List[Results] = _get(results, "throughput", "rows") or []
    for row in rows:
        if row.get("server") == server and row["clients"] == clients:
            return row
    return None


def _get(tree: Any, *path: str) -> Any:
    """What lies at the path; None where it ends early."""
    for name in path:
        if tree is None:
            return None
        tree = tree.get(name)
    return tree
