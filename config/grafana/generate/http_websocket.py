"""HTTP and WebSocket: what comes in, and how the protocols answer."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import board, graph, heat, of, quantile, quantiles, rate


def http_websocket() -> Dashboard:
    """The dashboard of the two protocols."""
    errors = rate("http_requests_total", "route", 'code=~"5.."')
    return board(
        "autovoice-http",
        "AutoVoice: HTTP and WebSocket",
        "Requests and connections. A 200 may hide a stream that broke half-way: whether speech "
        "came is on Overview.",
        [
            (
                "HTTP",
                [
                    graph(
                        "Requests by route",
                        "A second. `<unmatched>` are paths that no endpoint has.",
                        "reqps",
                        [(rate("http_requests_total", "route"), "{{route}}")],
                        stacked=True,
                    ),
                    graph(
                        "Requests by status",
                        "A second. 499: the client went away before the answer.",
                        "reqps",
                        [(rate("http_requests_total", "code"), "{{code}}")],
                        stacked=True,
                    ),
                    graph(
                        "Part of the requests that the server failed",
                        "Answers with a status of 500 or above among all, by route.",
                        "percentunit",
                        [
                            (
                                f"({errors} or 0 * {rate('http_requests_total', 'route')})"
                                f" / {rate('http_requests_total', 'route')}",
                                "{{route}}",
                            )
                        ],
                        most=1,
                    ),
                    graph(
                        "Requests being served",
                        "Open now, streams until their last byte; the scrape itself is one.",
                        "none",
                        [(of("http_requests_in_progress"), "{{instance}}")],
                    ),
                    graph(
                        "Time to the last byte, p95",
                        "By route. For speech, it is what making and sending all of it took.",
                        "s",
                        [(quantile(0.95, "http_request_duration_seconds", "route"), "{{route}}")],
                    ),
                    heat(
                        "Time to the last byte",
                        "How many requests took how long.",
                        "s",
                        "http_request_duration_seconds",
                    ),
                ],
            ),
            (
                "WebSocket",
                [
                    graph(
                        "Open connections",
                        "Counted at each scrape.",
                        "none",
                        [(of("websocket_connections_active"), "{{instance}}")],
                    ),
                    graph(
                        "Connections wanted",
                        "A second, by what became of the wish.",
                        "ops",
                        [(rate("websocket_connections_total", "outcome"), "{{outcome}}")],
                        stacked=True,
                    ),
                    graph(
                        "Connections ended",
                        "A second, by who or what ended them. An alert fires at many `error` and "
                        "`overload`.",
                        "ops",
                        [(rate("websocket_disconnects_total", "reason"), "{{reason}}")],
                        stacked=True,
                    ),
                    graph(
                        "How long connections last",
                        "Of those that ended.",
                        "s",
                        quantiles("websocket_connection_duration_seconds"),
                    ),
                    graph(
                        "Events",
                        "Messages a second, by kind and direction.",
                        "ops",
                        [
                            (
                                rate("websocket_events_total", "event, direction"),
                                "{{event}} {{direction}}",
                            )
                        ],
                    ),
                    graph(
                        "Time to handle an event, p95",
                        "By kind.",
                        "s",
                        [
                            (
                                quantile(0.95, "websocket_event_duration_seconds", "event"),
                                "{{event}}",
                            )
                        ],
                    ),
                    graph(
                        "Events that failed",
                        "A second, by kind and reason.",
                        "ops",
                        [
                            (
                                rate("websocket_event_errors_total", "event, reason"),
                                "{{event}}: {{reason}}",
                            )
                        ],
                    ),
                    graph(
                        "Bytes",
                        "A second, by direction.",
                        "Bps",
                        [(rate("websocket_bytes_total", "direction"), "{{direction}}")],
                    ),
                ],
            ),
        ],
    )
