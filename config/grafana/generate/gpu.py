"""GPU: what the driver tells of the devices that engines compute on."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import GREEN, RED, board, figure, graph, of, rate

DEVICE = "GPU {{gpu}} of {{instance}}"


def gpu() -> Dashboard:
    """The dashboard of the GPUs; empty where there is none."""
    return board(
        "autovoice-gpu",
        "AutoVoice: GPU",
        "Read from the driver at each scrape. Empty where no GPU is configured.",
        [
            (
                "Devices",
                [
                    figure(
                        "GPUs",
                        "Model and driver.",
                        "none",
                        (of("gpu_info"), "{{gpu}}: {{model}}, driver {{driver}}"),
                        width=16,
                        named=True,
                    ),
                    figure(
                        "Driver",
                        "1 while the driver tells all that it should; an alert fires at 0.",
                        "none",
                        (of("gpu_collector_up"), "{{instance}}"),
                        width=8,
                        colours=((None, RED), (1, GREEN)),
                    ),
                    graph(
                        "Utilization",
                        "Part of the last moments in which the GPU computed, for whomever.",
                        "percentunit",
                        [(of("gpu_utilization_ratio"), DEVICE)],
                        most=1,
                    ),
                    graph(
                        "Memory in use",
                        "Of what there is, whoever uses it. An alert fires at 92 %.",
                        "percentunit",
                        [
                            (
                                f"{of('gpu_memory_used_bytes')} / {of('gpu_memory_limit_bytes')}",
                                DEVICE,
                            )
                        ],
                        most=1,
                        lines=((None, GREEN), (0.92, RED)),
                    ),
                    graph(
                        "Memory of AutoVoice",
                        "What the server and its workers use.",
                        "bytes",
                        [(of("gpu_process_memory_bytes"), DEVICE)],
                    ),
                    graph(
                        "Temperature",
                        "An alert fires at 85 °C; at about 90 °C GPUs slow down.",
                        "celsius",
                        [(of("gpu_temperature_celsius"), DEVICE)],
                        lines=((None, GREEN), (85, RED)),
                    ),
                    graph(
                        "Power",
                        "Energy a second.",
                        "watt",
                        [(rate("gpu_energy_joules_total", "instance, gpu"), DEVICE)],
                    ),
                    graph(
                        "Energy of a second of speech",
                        "Joules that all GPUs took for a second of audio, idling, too.",
                        "joule",
                        [
                            (
                                f"{rate('gpu_energy_joules_total', 'job')} / "
                                f"{rate('synthesis_audio_seconds_total', 'job')}",
                                "{{job}}",
                            )
                        ],
                    ),
                ],
            ),
        ],
    )
