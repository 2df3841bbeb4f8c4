"""Jobs and deploys: long work, versions, and the processes themselves."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import CHOSEN, GREEN, RED, YELLOW, board, figure, graph, of, quantiles, rate, states


def jobs_deploys() -> Dashboard:
    """The dashboard of what goes on in the background."""
    return board(
        "autovoice-jobs",
        "AutoVoice: Jobs and deploys",
        "Long work in the background, which version runs where, and how its processes are.",
        [
            (
                "Jobs",
                [
                    graph(
                        "Jobs",
                        "By kind and state.",
                        "none",
                        [(f"sum by (kind, state) ({of('jobs')})", "{{kind}}: {{state}}")],
                    ),
                    graph(
                        "Jobs ended",
                        "Within the interval, by kind and outcome.",
                        "none",
                        [
                            (
                                "sum by (kind, outcome) (increase("
                                + of("jobs_finished_total")
                                + "[$__rate_interval]))",
                                "{{kind}}: {{outcome}}",
                            )
                        ],
                    ),
                    graph(
                        "How long jobs take",
                        "From start to end, by kind.",
                        "s",
                        quantiles("job_duration_seconds", "kind", "{{kind}}"),
                    ),
                    graph(
                        "How long jobs wait",
                        "Percentiles of those that were started.",
                        "s",
                        quantiles("job_queue_wait_seconds", "kind", "{{kind}}"),
                    ),
                    graph(
                        "The oldest job that waits",
                        "Its age. An alert fires after 15 minutes in which none of its kind runs.",
                        "s",
                        [
                            (
                                f"max by (kind) ({of('job_oldest_queued_age_seconds')})",
                                "{{kind}}",
                            )
                        ],
                    ),
                ],
            ),
            (
                "Deploys",
                [
                    figure(
                        "Versions",
                        "Which version runs where.",
                        "none",
                        (of("build_info"), "{{version}} (Python {{python}}) on {{instance}}"),
                        width=12,
                        named=True,
                    ),
                    figure(
                        "Slots",
                        "Which version is in which slot of a deploy.",
                        "none",
                        (of("deployment_info"), "{{slot}}: {{version}} on {{instance}}"),
                        width=12,
                        named=True,
                    ),
                    states(
                        "Draining",
                        "A server that is told to stop finishes what it has begun first.",
                        (of("draining"), "{{instance}}"),
                        (("0", "serving", GREEN), ("1", "draining", YELLOW)),
                    ),
                    states(
                        "Health checks",
                        "As of the last time that somebody asked /health or /health/ready.",
                        (of("health_check_status"), "{{check}} on {{instance}}"),
                        (("0", "fails", RED), ("1", "passes", GREEN)),
                    ),
                ],
            ),
            (
                "Processes",
                [
                    graph(
                        "Uptime",
                        "Since the server's process began. It falls to 0 at a deploy or a crash.",
                        "s",
                        [(f"time() - process_start_time_seconds{{{CHOSEN}}}", "{{instance}}")],
                    ),
                    graph(
                        "Processor",
                        "Cores that the server's process uses, without the engine's workers.",
                        "none",
                        [
                            (
                                f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])",
                                "{{instance}}",
                            )
                        ],
                    ),
                    graph(
                        "Memory",
                        "Resident memory of the server's process, without the engine's workers.",
                        "bytes",
                        [(f"process_resident_memory_bytes{{{CHOSEN}}}", "{{instance}}")],
                    ),
                    graph(
                        "Files and sockets",
                        "Part of the descriptors that the process may have open. Near 1, it cannot "
                        "take connections.",
                        "percentunit",
                        [
                            (
                                f"process_open_fds{{{CHOSEN}}} / process_max_fds{{{CHOSEN}}}",
                                "{{instance}}",
                            )
                        ],
                        most=1,
                    ),
                    graph(
                        "Log records",
                        "A second, by level.",
                        "ops",
                        [(rate("log_records_total", "level"), "{{level}}")],
                        stacked=True,
                    ),
                    graph(
                        "Secrets kept out of the log",
                        "Values a second that were replaced before they were written.",
                        "ops",
                        [(rate("log_redactions_total", "instance"), "{{instance}}")],
                    ),
                    graph(
                        "Labels that did not fit",
                        "Series a second that would have been too many for their family and were "
                        "counted as `other`. It should always be 0.",
                        "ops",
                        [(rate("metrics_label_overflow_total", "metric"), "{{metric}}")],
                    ),
                ],
            ),
        ],
    )
