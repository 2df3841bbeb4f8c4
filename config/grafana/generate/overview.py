"""Overview: is speech coming, in time, and for how long still."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import (
    CHOSEN,
    GREEN,
    RED,
    YELLOW,
    board,
    figure,
    graph,
    heat,
    of,
    quantiles,
    rate,
    states,
)

LEFT = ((None, RED), (0, YELLOW), (0.25, GREEN))
BURNS = ((None, GREEN), (1, YELLOW), (6, RED))
NOT_READY = (("0", "not ready", RED), ("1", "ready", GREEN))
DRAINING = (("0", "serving", GREEN), ("1", "draining", YELLOW))


def overview() -> Dashboard:
    """The dashboard to begin with."""
    failures = "job:autovoice_synthesis_failure_ratio"
    late = "job:autovoice_first_audio_slow_ratio"
    compute = rate("synthesis_compute_seconds_total", "engine")
    audio = rate("synthesis_audio_seconds_total", "engine")
    burning = [("5m", "5 minutes"), ("1h", "1 hour"), ("6h", "6 hours")]
    return board(
        "autovoice-overview",
        "AutoVoice: Overview",
        "Whether speech comes, comes in time, and for how long it may go on as it goes.",
        [
            (
                "Objectives",
                [
                    figure(
                        "Errors: budget left",
                        "How much of the failures that the objective (99.5 % of the requests for "
                        "speech within 30 days) allows is left. Below 0 % it is missed.",
                        "percentunit",
                        (f'1 - {failures}:rate30d{{job=~"$job"}} / 0.005', "{{job}}"),
                        colours=LEFT,
                    ),
                    figure(
                        "First audio: budget left",
                        "How much of the late answers that the objective (95 % begin within 0.5 s, "
                        "over 30 days) allows is left. Below 0 % it is missed.",
                        "percentunit",
                        (f'1 - {late}:rate30d{{job=~"$job"}} / 0.05', "{{job}}"),
                        colours=LEFT,
                    ),
                    figure(
                        "Alerts",
                        "Alerts that fire now; docs/runbook.md has a section for each.",
                        "none",
                        (
                            'count(ALERTS{alertstate="firing", alertname=~"AutoVoice.*"})'
                            " or vector(0)",
                            "firing",
                        ),
                        colours=((None, GREEN), (1, RED)),
                    ),
                    figure(
                        "Servers",
                        "Servers that answer Prometheus.",
                        "none",
                        (f"sum(up{{{CHOSEN}}})", "up"),
                        colours=((None, RED), (1, GREEN)),
                    ),
                    figure(
                        "Requests",
                        "Requests for speech a second, however they end.",
                        "reqps",
                        (
                            "sum(rate(" + of("synthesis_requests_total") + "[$__rate_interval]))",
                            "requests",
                        ),
                    ),
                    figure(
                        "Version",
                        "Which versions run, and where.",
                        "none",
                        (of("build_info"), "{{version}} on {{instance}}"),
                        named=True,
                    ),
                    graph(
                        "Errors: burn rate",
                        "How many times faster than the objective allows the budget is used, over "
                        "windows of different length. At 6 over 30 minutes and 6 hours somebody is "
                        "called.",
                        "none",
                        [
                            (f'{failures}:rate{window}{{job=~"$job"}} / 0.005', text)
                            for window, text in burning
                        ],
                        lines=BURNS,
                    ),
                    graph(
                        "First audio: burn rate",
                        "The same for answers that begin later than 0.5 s.",
                        "none",
                        [
                            (f'{late}:rate{window}{{job=~"$job"}} / 0.05', text)
                            for window, text in burning
                        ],
                        lines=BURNS,
                    ),
                ],
            ),
            (
                "What listeners get",
                [
                    graph(
                        "How requests for speech end",
                        "A second. `cancelled` and `invalid` are the clients' doing; `error`, "
                        "`timeout`, `rejected` and `empty` count against the objective.",
                        "reqps",
                        [(rate("synthesis_requests_total", "outcome"), "{{outcome}}")],
                        stacked=True,
                    ),
                    heat(
                        "Time to the first audio",
                        "How many answers began after how long, cached ones, too.",
                        "s",
                        "synthesis_first_audio_seconds",
                    ),
                    graph(
                        "Time to the first audio, percentiles",
                        "The objective: p95 below 0.5 s.",
                        "s",
                        quantiles("synthesis_first_audio_seconds"),
                        lines=((None, GREEN), (0.5, RED)),
                    ),
                    graph(
                        "Real-time factor",
                        "Seconds of computing for a second of audio. Above 1, speech is made "
                        "slower than it is listened to.",
                        "none",
                        [(f"{compute} / {audio}", "{{engine}}")],
                        lines=((None, GREEN), (1, RED)),
                    ),
                ],
            ),
            (
                "What the servers do",
                [
                    graph(
                        "Places",
                        "Requests in synthesis or waiting for it, sentences waiting for a worker, "
                        "and for how many requests there is room. Others are answered 503.",
                        "none",
                        [
                            (f"sum({of('synthesis_in_progress')})", "requests"),
                            (f"sum({of('synthesis_queue_depth')})", "sentences waiting"),
                            (f"sum({of('synthesis_queue_capacity')})", "room for requests"),
                        ],
                    ),
                    states(
                        "Engines",
                        "Ready: at least one worker of the engine has spoken and runs.",
                        (of("engine_ready"), "{{engine}} on {{instance}}"),
                        NOT_READY,
                    ),
                    states(
                        "Draining",
                        "A server that is told to stop finishes what it has begun first.",
                        (of("draining"), "{{instance}}"),
                        DRAINING,
                    ),
                ],
            ),
        ],
    )
