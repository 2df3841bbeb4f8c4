"""Engines: what makes the audio, how fast, and what it waits for."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import GREEN, RED, YELLOW, board, figure, graph, of, quantile, quantiles, rate


def engines() -> Dashboard:
    """The dashboard of synthesis behind the protocols."""
    hits = rate("cache_requests_total", "cache", 'result=~"hit|joined"')
    return board(
        "autovoice-engines",
        "AutoVoice: Engines",
        "Workers, their speed, their queue, and the cache that spares them.",
        [
            (
                "Workers",
                [
                    figure(
                        "Ready",
                        "Servers on which the engine has a worker that can speak.",
                        "none",
                        (f"sum by (engine) ({of('engine_ready')})", "{{engine}}"),
                        colours=((None, RED), (1, GREEN)),
                        width=4,
                    ),
                    figure(
                        "Missing",
                        "Workers that should run and do not. One that failed is soon replaced.",
                        "none",
                        (
                            f"sum by (engine) ({of('engine_workers')} "
                            f"- {of('engine_workers_ready')})",
                            "{{engine}}",
                        ),
                        colours=((None, GREEN), (1, YELLOW)),
                        width=5,
                    ),
                    figure(
                        "Silent for",
                        "Since the engine last spoke, anywhere. Readiness has it speak after ten "
                        "seconds of silence, so long silence means that nobody asks.",
                        "s",
                        (
                            "time() - max by (engine) "
                            f"({of('engine_last_success_timestamp_seconds')})",
                            "{{engine}}",
                        ),
                        width=5,
                    ),
                    figure(
                        "Start of a worker",
                        "What the newest worker took from its start to its first word, at worst.",
                        "s",
                        (f"max by (engine) ({of('engine_load_duration_seconds')})", "{{engine}}"),
                        width=5,
                    ),
                    figure(
                        "Cores at work",
                        "Seconds of computing a second: about so many workers are busy.",
                        "none",
                        (rate("synthesis_compute_seconds_total", "engine"), "{{engine}}"),
                        width=5,
                    ),
                    graph(
                        "Workers that failed",
                        "Within the interval, by reason. Each is replaced; its sentence is spoken "
                        "by another one.",
                        "none",
                        [
                            (
                                "sum by (engine, reason) (increase("
                                + of("engine_errors_total")
                                + "[$__rate_interval]))",
                                "{{engine}}: {{reason}}",
                            )
                        ],
                    ),
                    graph(
                        "Broken voices",
                        "Installed voices that cannot be used. The log, the listing of voices and "
                        "`autovoice doctor` say why.",
                        "none",
                        [
                            (
                                "sum by (instance, engine) ("
                                + of("voices", 'state="broken"')
                                + ")",
                                "{{engine}} on {{instance}}",
                            )
                        ],
                    ),
                    graph(
                        "Speed of single requests",
                        "Seconds of computing for a second of audio, over the requests. One short "
                        "sentence is slower than a long text.",
                        "none",
                        quantiles("synthesis_realtime_factor", "engine", "{{engine}}"),
                        lines=((None, GREEN), (1, RED)),
                    ),
                ],
            ),
            (
                "Work",
                [
                    graph(
                        "Audio made",
                        "Seconds of audio a second, without what the cache gave.",
                        "none",
                        [(rate("synthesis_audio_seconds_total", "engine"), "{{engine}}")],
                    ),
                    graph(
                        "Text spoken",
                        "Characters a second, also of what the cache gave.",
                        "none",
                        [(rate("synthesis_input_characters_total", "engine"), "{{engine}}")],
                    ),
                    graph(
                        "Time to the last byte, p95",
                        "Of answers with speech; whole: in one piece, stream: as it is made.",
                        "s",
                        [
                            (
                                quantile(0.95, "synthesis_duration_seconds", "engine, mode"),
                                "{{engine}}, {{mode}}",
                            )
                        ],
                    ),
                    graph(
                        "Time to the first audio, p95",
                        "By engine and by the way it is sent.",
                        "s",
                        [
                            (
                                quantile(
                                    0.95, "synthesis_first_audio_seconds", "engine, transport"
                                ),
                                "{{engine}}, {{transport}}",
                            )
                        ],
                        lines=((None, GREEN), (0.5, RED)),
                    ),
                    graph(
                        "Length of the answers",
                        "Seconds of audio that an answer has.",
                        "s",
                        quantiles("synthesis_audio_duration_seconds", "engine", "{{engine}}"),
                    ),
                    graph(
                        "Silence in streams",
                        "Seconds that a listener's player ran dry, on average over the streams.",
                        "s",
                        [
                            (
                                f"{rate('synthesis_underrun_seconds_sum', 'transport')} / "
                                f"{rate('synthesis_underrun_seconds_count', 'transport')}",
                                "{{transport}}",
                            )
                        ],
                    ),
                ],
            ),
            (
                "Queue",
                [
                    graph(
                        "Wait for a worker",
                        "Of a request's first sentence.",
                        "s",
                        quantiles("synthesis_queue_wait_seconds", "engine", "{{engine}}"),
                    ),
                    graph(
                        "Sentences waiting",
                        "For a worker, at each scrape.",
                        "none",
                        [(of("synthesis_queue_depth"), "{{engine}} on {{instance}}")],
                    ),
                    graph(
                        "Places taken",
                        "Requests in synthesis or waiting for it, of those there is room for. At "
                        "80 % an alert fires; at 100 % requests are answered 503.",
                        "percentunit",
                        [
                            (
                                f"{of('synthesis_in_progress')} / {of('synthesis_queue_capacity')}",
                                "{{instance}}",
                            )
                        ],
                        most=1,
                        lines=((None, GREEN), (0.8, RED)),
                    ),
                    graph(
                        "Sentences a batch",
                        "Spoken by the engine at once.",
                        "none",
                        quantiles("synthesis_batch_size", "engine", "{{engine}}"),
                    ),
                ],
            ),
            (
                "Installed voices",
                [
                    graph(
                        "Memory of voices",
                        "What loaded voices are reckoned to take in all workers, and what they "
                        "may: above that, a voice is let go of for each that is loaded.",
                        "bytes",
                        [
                            (f"sum by (engine) ({of('voices_memory_bytes')})", "{{engine}}"),
                            (
                                f"sum by (engine) ({of('voices_memory_limit_bytes')})",
                                "{{engine}}, at most",
                            ),
                        ],
                    ),
                    graph(
                        "Voices in memory",
                        "Once for each worker that has them.",
                        "none",
                        [(f"sum by (engine) ({of('voices_loaded')})", "{{engine}}")],
                    ),
                    graph(
                        "Time to load a voice",
                        "What a listener waits for whose voice is not in memory.",
                        "s",
                        quantiles("voice_load_seconds", "engine", "{{engine}}"),
                    ),
                    graph(
                        "Loaded and let go of",
                        "Voices a second. As many of one as of the other, all the time: there is "
                        "too little memory for the voices in use (AUTOVOICE_VOICES_MEMORY_MB).",
                        "ops",
                        [
                            (
                                rate("voice_loads_total", "engine, outcome"),
                                "{{engine}}: {{outcome}}",
                            ),
                            (rate("voice_unloads_total", "engine"), "{{engine}}: let go of"),
                        ],
                    ),
                    graph(
                        "Installations",
                        "That ended within the interval, by how, and those under way.",
                        "none",
                        [
                            (
                                "sum by (outcome) (increase("
                                + of("voice_installs_total")
                                + "[$__rate_interval]))",
                                "{{outcome}}",
                            ),
                            (f"sum({of('voice_installs_in_progress')})", "under way"),
                        ],
                    ),
                    graph(
                        "Downloads of voices",
                        "Bytes a second.",
                        "Bps",
                        [(rate("voice_download_bytes_total", ""), "voices")],
                    ),
                ],
            ),
            (
                "Cache",
                [
                    graph(
                        "Answers from the cache",
                        "Part of the look-ups that found finished audio, or another request that "
                        "was just making it.",
                        "percentunit",
                        [(f"{hits} / {rate('cache_requests_total', 'cache')}", "{{cache}}")],
                        most=1,
                    ),
                    graph(
                        "Size",
                        "Bytes kept, by where.",
                        "bytes",
                        [(f"sum by (cache) ({of('cache_size_bytes')})", "{{cache}}")],
                    ),
                    graph(
                        "Dropped to make room",
                        "Entries a second, by where. Many, and few answers from the cache: it is "
                        "too small.",
                        "ops",
                        [(rate("cache_evictions_total", "cache"), "{{cache}}")],
                    ),
                ],
            ),
        ],
    )
