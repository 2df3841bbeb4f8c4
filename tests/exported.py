"""What a scrape of AutoVoice shows: documents, alerts and dashboards are held against it."""

import functools
from typing import Dict, FrozenSet, NamedTuple, Set, Tuple

from prometheus_client.parser import text_string_to_metric_families

from auto_voice.bootstrap import build
from auto_voice.settings import load
from auto_voice.web.app import create_app


class Family(NamedTuple):
    """One row of the metric reference."""

    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    labels: FrozenSet[str]
    """Without ``le``."""


TO_COME: Dict[str, Tuple[str, str]] = {
    # Named in the catalogue, and in alerts and dashboards already; not exported yet, or only
    # where a GPU is. A family that is exported has no line here: a test says so.
    "autovoice_websocket_connections_active": ("gauge", ""),
    "autovoice_websocket_connections_total": ("counter", "outcome"),
    "autovoice_websocket_disconnects_total": ("counter", "reason"),
    "autovoice_websocket_connection_duration_seconds": ("histogram", ""),
    "autovoice_websocket_events_total": ("counter", "direction event"),
    "autovoice_websocket_event_duration_seconds": ("histogram", "event"),
    "autovoice_websocket_event_errors_total": ("counter", "event reason"),
    "autovoice_websocket_bytes_total": ("counter", "direction"),
    "autovoice_synthesis_realtime_factor": ("histogram", "engine"),
    "autovoice_synthesis_audio_duration_seconds": ("histogram", "engine"),
    "autovoice_synthesis_underrun_seconds": ("histogram", "transport"),
    "autovoice_synthesis_batch_size": ("histogram", "engine"),
    "autovoice_jobs": ("gauge", "kind state"),
    "autovoice_jobs_finished_total": ("counter", "kind outcome"),
    "autovoice_job_duration_seconds": ("histogram", "kind"),
    "autovoice_job_queue_wait_seconds": ("histogram", "kind"),
    "autovoice_job_oldest_queued_age_seconds": ("gauge", "kind"),
    "autovoice_gpu_utilization_ratio": ("gauge", "gpu"),
    "autovoice_gpu_memory_used_bytes": ("gauge", "gpu"),
    "autovoice_gpu_memory_limit_bytes": ("gauge", "gpu"),
    "autovoice_gpu_process_memory_bytes": ("gauge", "gpu"),
    "autovoice_gpu_temperature_celsius": ("gauge", "gpu"),
    "autovoice_gpu_energy_joules_total": ("counter", "gpu"),
    "autovoice_gpu_info": ("gauge", "driver gpu model uuid"),
    "autovoice_gpu_collector_up": ("gauge", ""),
    "autovoice_deployment_info": ("gauge", "slot version"),
    "autovoice_health_check_status": ("gauge", "check"),
    "autovoice_log_records_total": ("counter", "level"),
    "autovoice_log_redactions_total": ("counter", ""),
    "autovoice_metrics_label_overflow_total": ("counter", "metric"),
}


class Scrape(NamedTuple):
    """All that a server showed."""

    families: Dict[str, Family]
    """By name; of counters with ``_total``."""
    samples: Dict[str, Dict[str, Set[str]]]
    """What PromQL can select: name to label to the values that were seen; of what is to come,
    an empty set."""


@functools.lru_cache(maxsize=None)
def exported() -> Scrape:
    """What a server shows that has answered a few requests."""
    service = build(load({}, engine="stub", engine_workers=1))
    try:
        client = create_app(service).test_client()
        for body in ({"input": "One."}, {"input": "One. Two.", "stream_format": "sse"}, {}):
            with client.post("/v1/audio/speech", json=body) as answer:
                answer.get_data()  # a request is counted when its answer has been read
        client.get("/nothing").close()
        return parsed(client.get("/metrics").get_data(as_text=True))
    finally:
        service.close()


def parsed(text: str) -> Scrape:
    """What a scrape's text tells."""
    families, samples = {}, {}
    for family in text_string_to_metric_families(text):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = family.name + ("_total" if family.type == "counter" else "")
        families[name] = Family(family.type, frozenset(labels))
        for sample in family.samples:
            seen = samples.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                seen.setdefault(label, set()).add(value)
    return Scrape(families, samples)


def catalogue() -> Scrape:
    """What is exported, and what is to come."""
    families, samples = dict(exported().families), dict(exported().samples)
    for name, (kind, words) in TO_COME.items():
        labels = frozenset(words.split())
        families[name] = Family(kind, labels)
        endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        for ending in endings:
            some = labels | {"le"} if ending == "_bucket" else labels
            samples[name + ending] = {label: set() for label in some}
    return Scrape(families, samples)
