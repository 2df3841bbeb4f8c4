"""What a scrape of AutoVoice shows: documents, alerts and dashboards are held against it."""

import functools
from typing import Dict, FrozenSet, NamedTuple, Set

from prometheus_client.parser import text_string_to_metric_families

from auto_voice.bootstrap import build
from auto_voice.monitoring.gpu import GpuCollector
from auto_voice.settings import load
from auto_voice.web.app import create_app


class Family(NamedTuple):
    """One row of the metric reference."""

    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    labels: FrozenSet[str]
    """Without ``le``."""


class Scrape(NamedTuple):
    """All that a server shows, or would show if it had a GPU."""

    families: Dict[str, Family]
    """By name; of counters with ``_total``."""
    samples: Dict[str, Dict[str, Set[str]]]
    """What PromQL can select: name to label to its values (of a GPU's, none)."""


@functools.lru_cache(maxsize=None)
def exported() -> Scrape:
    """What a server shows that has answered a few requests."""
    # Nobody listens on that port: its check is there all the same.
    redis_url = "redis://127.0.0.1:1/0"
    service = build(
        load(
            {},
            engine="stub,piper",  # the second has no voices here, and so no workers
            engine_workers=1,
            gpu_metrics="off",
            redis_url=redis_url,
            voice_dir="/nonexistent",
        )
    )
    try:
        client = create_app(service).test_client()
        for body in ({"input": "One."}, {"input": "One. Two.", "stream_format": "sse"}, {}):
            with client.post("/v1/audio/speech", json=body) as answer:
                answer.get_data()  # a request is counted when its answer has been read
        client.get("/nothing").close()
        found = _parsed(client.get("/metrics").get_data(as_text=True))
    finally:
        service.close()
    for family in GpuCollector(False, tuple).describe():
        labels = frozenset(family._labelnames)
        name = family.name + ("_total" if family.type == "counter" else "")
        found.families[name] = Family(family.type, labels)
        found.samples[name] = {label: set() for label in labels}
    return found


def _parsed(text: str) -> Scrape:
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
