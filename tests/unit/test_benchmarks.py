"""The figures in docs/performance.md are the ones that were measured, and computed rightly."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from benchmarks import (
    client,
    deploys,
    figures,
    load,
    logging_cost,
    machine,
    report,
    texts,
    throughput,
)

ROOT = Path(__file__).resolve().parents[2]


def test_percentile_is_a_value_that_occurred():
    """At least that fraction of all values is not larger, and no smaller value can say so."""
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert figures.percentile(values, 0.5) == 3.0
    assert figures.percentile(values, 0.95) == 5.0
    assert figures.percentile(values, 0.0) == 1.0
    assert figures.percentile(list(range(1, 101)), 0.95) == 95
    assert figures.percentile([7.0], 0.99) == 7.0


def test_spread_tells_the_middle_and_the_ends():
    """The median does not follow one bad round."""
    assert figures.spread([2.0, 1.0, 90.0]) == (2.0, 1.0, 90.0)


def run(rate, cpu_ms=2.0, others=0.0):
    cpu = {"web": 0.0, "engine": cpu_ms}
    return throughput.Run(rate, 1.0, 1.0, 1.0, cpu, others)


def test_a_run_is_compared_with_the_runs_beside_it():
    """A machine that is half as fast in one minute changes no ratio."""
    assert throughput.Triple(run(100.0), run(80.0), run(100.0)).ratio == 0.8
    assert throughput.Triple(run(50.0), run(40.0), run(50.0)).ratio == 0.8
    assert throughput.Triple(run(100.0), run(60.0), run(50.0)).ratio == 0.8


def test_cpu_time_is_compared_the_other_way_round():
    """Twice the CPU time for the same is half as good."""
    triple = throughput.Triple(run(1.0, cpu_ms=2.0), run(1.0, cpu_ms=4.0), run(1.0, cpu_ms=2.0))
    assert triple.cpu_ratio == 0.5


@pytest.mark.parametrize("disturbed", [0, 1, 2])
def test_a_round_that_others_disturbed_does_not_count(disturbed):
    """It makes no difference whether they disturbed the run or one that it is compared with."""
    runs = [run(1.0, others=1.0 if index == disturbed else 0.0) for index in range(3)]
    assert not throughput.Triple(*runs).quiet
    assert throughput.Triple(run(1.0), run(1.0), run(1.0)).quiet


def test_others_are_noticed_and_ours_are_not():
    """What this process and its children do is not somebody else's."""
    watch = machine.Watch()
    before = sum(map(machine.cpu_s, machine.family(os.getpid())))
    subprocess.run([sys.executable, "-c", "sum(range(30_000_000))"], check=True)
    assert machine.cpu_s(os.getpid(), with_ended_children=True) > before
    assert 0.0 <= watch.cores() <= machine.cores() + 0.5


def test_sentences_differ_so_that_no_cache_can_help():
    """Each has eleven words, and a later process speaks the same ones."""
    sentences = texts.sentences()
    assert len(set(sentences)) == len(sentences) == texts.SENTENCES
    assert {len(sentence.split()) for sentence in sentences} == {11}
    assert texts.sentences() == sentences
    assert 2_000 <= len(texts.long_text(2_000).split()) < 2_011


# --- the clients ------------------------------------------------------------------------------

BODY = b"h" * client.WAV_HEADER_BYTES + b"samples"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (BODY[:44], BODY[44:], b"")
)


@pytest.fixture
def serve():
    """Starts a server that gives canned answers, a few bytes at a time, on every connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection, canned):
        with connection, contextlib.suppress(OSError):  # the client may have seen enough
            while connection.recv(1 << 16):
                for start in range(0, len(canned), 11):
                    connection.sendall(canned[start : start + 11])

    def accept(canned):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection, canned), daemon=True).start()

    def start(canned):
        threading.Thread(target=accept, args=(canned,), daemon=True).start()
        return listener.getsockname()[1]

    yield start
    listener.close()


@pytest.mark.parametrize("canned", [WHOLE, CHUNKED], ids=["whole", "chunked"])
def test_client_reads_an_answer_to_its_end(serve, canned):
    """The connection can be used again, and the first sample comes after the header."""
    connection = client.Connection(serve(canned), timeout_s=5)
    for _ in range(3):
        answer = connection.speak(b"{}", digest=True)
        assert (answer.status, answer.bytes) == (200, len(BODY))
        assert 0 < answer.first_byte_s <= answer.first_audio_s <= answer.whole_s
    connection.close()


def test_client_notices_an_answer_that_ends_too_early(serve):
    """Missing audio counts as lost, not as a short answer."""
    port = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\nx")
    connection = client.Connection(port, timeout_s=0.2)
    with pytest.raises(OSError):
        connection.speak(b"{}")
    connection.close()


@pytest.mark.parametrize("canned", [WHOLE, CHUNKED], ids=["whole", "chunked"])
@pytest.mark.parametrize("connections", ["kept", "anew"])
def test_own_load_counts_whole_answers(serve, canned, connections, tmp_path):
    """The loop that stands in for wrk says how many answers came, and how long they took."""
    bodies = tmp_path / "bodies.jsonl"
    load.write_bodies(bodies, [b"{}", b"[]"])
    command = [sys.executable, "-m", "benchmarks.load", str(serve(canned)), str(bodies)]
    command += ["2", "0.2", connections]
    output = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE, check=True).stdout
    seen = json.loads(output.partition(b"RESULT ")[2])
    assert seen["requests"] > 0 and seen["failed"] == 0
    assert seen["bytes"] >= seen["requests"] * len(canned)
    assert 0 < seen["p50_ms"] <= seen["p95_ms"] <= seen["p99_ms"]


# --- the page ---------------------------------------------------------------------------------


def measured():
    return json.loads((ROOT / report.DATA).read_text(encoding="utf-8"))


def test_the_page_shows_what_was_measured():
    """docs/performance.md holds the table of docs/performance.json, unchanged."""
    page = (ROOT / report.PAGE).read_text(encoding="utf-8")
    assert report.insert(page, report.render(measured())) == page


def test_the_figures_do_not_tell_whose_machine_it_was():
    """Cores, model and versions matter; names and folders do not."""
    data = (ROOT / report.DATA).read_text(encoding="utf-8")
    assert socket.gethostname() not in data
    assert "/" not in "".join(measured()["machine"]["cpu"])
    assert set(measured()["machine"]) == {"cores", "cpu", "memory_gb", "system"}


def test_inserting_keeps_what_people_wrote():
    """Only what stands between the markers is replaced."""
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.insert(page, "new\n")
    assert once == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    assert report.insert(once, "new\n") == once
    with pytest.raises(ValueError):
        report.insert("no markers", "new")


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(2.0, True, True), (1.9, True, False), (2.0, False, True), (2.1, False, False)],
)
def test_a_target_is_met_on_its_limit(value, at_least, met):
    """At least and at most both include the limit itself."""
    assert report.Target("x", 2.0, value, at_least=at_least).met is met


def test_a_figure_of_a_busy_machine_is_not_judged():
    """Neither a lucky one nor an unlucky one."""
    assert report.Target("x", 2.0, 1.0, disturbed=True).met is None
    results = measured()
    for row in results["throughput"]["rows"]:
        row["quiet_rounds"] = 1
    results["others_cores"] = {name: 1.0 for name in results["others_cores"]}
    judged = {target.title for target in report.targets(results) if target.met is not None}
    steady = ("memory", "lost", "errors")
    assert judged and all(any(word in title for word in steady) for title in judged)
    assert "(the machine was busy)" in report.render(results)


def test_what_was_not_measured_is_neither_met_nor_missed():
    """A part of a run shows its figures, and does not fail for the rest."""
    facts = {name: measured()[name] for name in ("date", "machine", "versions")}
    assert {target.met for target in report.targets(facts)} == {None}
    assert "not measured" in report.render(facts)


# --- the log ----------------------------------------------------------------------------------


def test_a_line_of_the_log_is_measured_whoever_else_is_installed():
    """Ours always; and what was measured is in the tables, beside its limit."""
    found = logging_cost.measure(rounds=2, records=20)
    ours = {"plain", "redacting", "redacting a secret"}
    assert ours <= set(found["us"])
    assert all(0 < each["low"] <= each["median"] <= each["high"] for each in found["us"].values())
    assert set(found["us"]) - ours <= set(found["versions"])
    results = {**measured(), "logging": found}
    table = report.render(results)
    assert "| AutoVoice, a line with a secret |" in table
    limits = {target.limit for target in report.targets(results) if target.unit == " µs"}
    assert {10, 20} <= limits


def test_a_line_that_lacks_something_is_not_measured():
    """Who leaves a field out is faster, and compares nothing."""
    sink = logging_cost.Sink()
    with pytest.raises(RuntimeError):
        logging_cost._check(lambda: sink.write('{"message": "POST"}'), sink)


# --- deploys --------------------------------------------------------------------------------------


def test_the_guide_shows_what_deploys_cost():
    """The figures that the test of deploys wrote, neither older nor rounded up."""
    measured_last = json.loads(deploys.DATA.read_text(encoding="utf-8"))
    page = deploys.PAGE.read_text(encoding="utf-8")
    assert report.insert(page, deploys.render(measured_last), deploys.MARKER) == page
    assert [one.title for one in deploys.targets(measured_last) if one.met is False] == []
    assert measured_last["requests"] >= 30_000 and measured_last["failed"] == 0


def test_a_lost_request_is_not_a_good_figure():
    """Neither is a WebSocket that did not live, nor a run that was too short."""
    good = json.loads(deploys.DATA.read_text(encoding="utf-8"))
    for change in ({"failed": 1}, {"websockets_alive": 19}, {"requests": 29_999}):
        met = [one.met for one in deploys.targets({**good, **change})]
        assert met.count(False) == 1, change
