"""Servers that share a Redis are as one; whatever happens to it, each of them speaks."""

import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import voices
from tests.integration.redis_server import SlowWay, shared
from tests.integration.serving import AUTOVOICE, TEXT, assert_error, environment, kill, until

pytestmark = pytest.mark.needs("redis-server")

PREFIX = "autovoice:1:"
GONE = -2
"""What Redis says of a key that has gone since it was listed."""

PATIENT = {"engine": "stub", "redis_wait_ms": 1000}
"""Where it is not about time: on a busy machine, Redis may take long to answer."""

__all__ = ["shared"]


@pytest.fixture
def pair(start, shared):
    """Two servers with a Redis between them, and a limit that few tests reach."""
    settings = {**PATIENT, "redis_url": shared.url, "rate_limit": "10000/minute"}
    servers = [start(wait=False, **settings) for _ in range(2)]
    return [server.wait_until_ready() for server in servers]


def looked(server, result):
    return server.metric("autovoice_cache_requests_total", cache="redis", result=result)


def kept(shared):
    """The keys of finished audio."""
    return shared.keys(f"{PREFIX}audio:*")


def seconds(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


# --- as one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", ["wav", "pcm", "mp3", "opus"])
def test_what_one_server_has_spoken_the_other_need_not(pair, shared, format_name):
    """Bit for bit, streamed or whole; and it comes out of memory from then on."""
    one, other = pair
    for text in ("Hello.", TEXT):
        before = len(kept(shared))
        spoken = one.speak(text, response_format=format_name)
        assert spoken.headers["X-Cache"] == "miss"
        until(lambda: len(kept(shared)) > before, "it is kept in Redis")
        found = other.speak(text, response_format=format_name)
        assert found.headers["X-Cache"] == "hit"
        if format_name == "pcm" or text == "Hello.":
            assert found.content == spoken.content
    assert looked(other, "hit") == 2
    assert other.metric("autovoice_synthesis_audio_seconds_total") == 0
    other.speak("Hello.", response_format=format_name)
    assert looked(other, "hit") == 2
    size = other.metric("autovoice_cache_size_bytes", cache="redis")
    assert size == sum(len(key) + shared.client.strlen(key) for key in kept(shared))


def test_times_of_words_come_along(pair, shared):
    asked = {"timestamps": "word", "stream_format": "json"}
    one, other = pair
    spoken = one.speak("Two words.", **asked)
    until(lambda: kept(shared), "it is kept in Redis")
    found = other.speak("Two words.", **asked)
    assert (spoken.headers["X-Cache"], found.headers["X-Cache"]) == ("miss", "hit")
    assert found.json() == spoken.json()
    assert len(found.json()["words"]) == 2


def test_servers_whose_files_differ_do_not_speak_with_each_others_voices(start, shared, tmp_path):
    """One voice id, two files: each server is heard with its own. Equal ones are shared, though
    they were copied at different times."""
    servers = []
    for number, name in enumerate(("people", "fine", "people")):
        folder = voices.put(tmp_path / str(number), name, "neural")
        settings = {**PATIENT, "engine": "piper,espeak", "engine_workers": 1}
        settings.update(redis_url=shared.url, voice_dir=folder, loudness_lufs=0)
        servers.append(start(wait=False, **settings))
    one, different, same = (server.wait_until_ready() for server in servers)
    first = one.speak("Hello.", voice="neural")
    assert (first.status_code, first.headers["X-Cache"]) == (200, "miss")
    until(lambda: kept(shared), "it is kept in Redis")
    own = different.speak("Hello.", voice="neural")
    assert (own.status_code, own.headers["X-Cache"]) == (200, "miss")
    assert own.content != first.content
    found = same.speak("Hello.", voice="neural")
    assert (found.headers["X-Cache"], found.content) == ("hit", first.content)


def test_what_many_ask_for_at_once_one_server_speaks_once(pair):
    """Whichever they asked: as many as there are wait for the one."""
    text = "PAUSE " * 12  # 0.6 s
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda n: pair[n % 2].speak(text), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers["X-Cache"] for answer in answers].count("miss") == 1
    assert sum(looked(server, "joined") for server in pair) == 1
    spoken = sum(server.metric("autovoice_synthesis_batch_size_sum") for server in pair)
    assert spoken == 1


def test_servers_that_share_redis_share_a_limit(start, shared):
    settings = {**PATIENT, "redis_url": shared.url, "rate_limit": "4/minute;5/hour"}
    servers = [start(**settings), start(**settings)]
    answers = [servers[number % 2].speak("One.") for number in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert_error(answers[-1], 429, "rate_limit_exceeded")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_a_server_that_is_killed_while_it_speaks_delays_the_others_a_little(pair, shared):
    """They take over as soon as its claim has ended, which it renews as long as it lives."""
    holder, other = pair
    text = "PAUSE " * 45  # 2.3 s
    threading.Thread(target=_ignored, args=(lambda: holder.speak(text),), daemon=True).start()
    claims = until(lambda: shared.keys(f"{PREFIX}audio!*"), "it has claimed to speak it")
    time.sleep(1.7)
    assert shared.keys(f"{PREFIX}audio!*") == claims, "it renews its claim"
    for pid in (holder.process.pid, holder.serving_pid()):
        kill(pid, signal.SIGKILL)
    assert shared.client.pttl(claims[0]) <= 1500
    began = time.monotonic()
    assert other.speak(text).status_code == 200
    assert other.metric("autovoice_synthesis_batch_size_sum") == 1
    assert looked(other, "miss") == 1
    assert time.monotonic() - began < 2.3 + 1.5 + 2


def test_who_waits_takes_over_when_speaking_fails_elsewhere(pair, shared):
    """At once: whoever fails gives its claim up."""
    holder, other = pair
    text = "PAUSE " * 10 + "FAIL"
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(holder.speak, text)
        until(lambda: shared.keys(f"{PREFIX}audio!*"), "it has claimed to speak it")
        second = threads.submit(other.speak, text)
        assert first.result().status_code == 500
        assert second.result().status_code == 500
    assert other.metric("autovoice_synthesis_batch_size_sum") == 0
    assert other.metric("autovoice_synthesis_requests_total", outcome="error") == 1
    until(lambda: not shared.keys(f"{PREFIX}audio!*"), "nobody claims it", 1)


def test_a_stream_does_not_wait_for_another_server(pair, shared):
    """Its first audio comes from here, a tenth of a second later at most."""
    holder, other = pair
    text = "One. " + "PAUSE " * 40 + ". Three."
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(holder.speak, text)
        until(lambda: shared.keys(f"{PREFIX}audio!*"), "it has claimed to speak it")
        began = time.monotonic()
        with other.speak(text, stream=True) as answer:
            next(answer.iter_content(100))
            assert time.monotonic() - began < 1.0  # the whole takes 2 s
            assert answer.headers["X-Cache"] == "miss"
        assert first.result().status_code == 200


def _ignored(call):
    try:
        call()
    except Exception:
        pass


# --- with what others leave in Redis --------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "another", "no text"])
def test_what_is_damaged_in_redis_is_spoken_anew(pair, shared, damage):
    one, other = pair
    spoken = one.speak("Hello.")
    [key] = until(lambda: kept(shared), "it is kept in Redis")
    value = shared.client.get(key)
    if damage == "another":  # one that is whole, under a name that is not its own
        one.speak("Goodbye.")
        both = until(lambda: len(kept(shared)) == 2 and kept(shared), "both are kept")
        value = shared.client.get(next(each for each in both if each != key))
    values = {"cut": value[:-1], "flipped": value[:40] + b"?" + value[41:], "foreign": b"Hello."}
    if damage == "no text":
        shared.client.delete(key)
        shared.client.lpush(key, "a list")
    else:
        shared.client.set(key, values.get(damage, value))
    again = other.speak("Hello.")
    assert (again.status_code, again.headers["X-Cache"]) == (200, "miss")
    assert again.content == spoken.content


def test_redis_takes_no_more_than_it_may(start, shared):
    """Whatever was not used for longest goes first, and is counted."""
    server = start(**PATIENT, redis_url=shared.url, cache_redis_mb=1, cache_memory_mb=0)

    def text(number):
        return " ".join(f"{word * number}x{word}" for word in range(40))  # 2 s

    for number in range(16):
        server.speak(text(number))
    until(
        lambda: server.metric("autovoice_cache_evictions_total", cache="redis"),
        "something was dropped",
    )
    taken = sum(len(key) + shared.client.strlen(key) for key in kept(shared))
    assert 500_000 < taken <= 1 << 20
    assert server.metric("autovoice_cache_size_bytes", cache="redis") == taken
    assert server.speak(text(15)).headers["X-Cache"] == "hit"
    assert server.speak(text(0)).headers["X-Cache"] == "miss"


def test_everything_in_redis_goes_by_itself(pair, shared):
    """Nothing stays there for ever, under names that say whose it is."""
    pair[0].speak("Hello.")
    until(lambda: kept(shared), "it is kept in Redis")
    left_s = {key: shared.client.ttl(key) for key in shared.keys()}
    assert all(key.startswith(PREFIX) for key in left_s)
    assert all(0 < left <= 86_400 for left in left_s.values() if left != GONE), left_s
    assert set(left_s.values()) != {GONE}


# --- when Redis is slow, full, frozen, restarted or gone ------------------------------------------


def degraded(server):
    return server.get("/health/ready").json()["degraded"]


def is_away(server):
    return bool(degraded(server))


def is_back(server):
    return not degraded(server)


def test_without_redis_a_server_goes_on_and_says_that_it_is_degraded(start, shared):
    """It stays in rotation: whoever asks it is answered."""
    server = start(**PATIENT, redis_url=shared.url, rate_limit="3/minute")
    until(lambda: is_back(server), "it has found Redis")
    assert server.get("/health/ready").json() == {"ready": True, "reasons": [], "degraded": []}
    assert server.get("/health").json()["status"] == "pass"
    shared.kill()
    until(lambda: is_away(server), "it is degraded")
    answer = server.get("/health/ready")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["degraded"][0].startswith("redis: it does not answer")
    health = server.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "warn")
    assert health.json()["checks"]["redis"][0]["status"] == "warn"
    assert server.metric("autovoice_health_check_status", check="redis") == 0
    statuses = [server.speak(f"Number {number}.").status_code for number in range(4)]
    assert statuses == [200, 200, 200, 429], "it counts by itself"
    warnings = [line for line in server.log() if "goes on without it" in line["message"]]
    assert len(warnings) == 1
    shared.start()
    until(lambda: is_back(server), "it is as before")
    assert server.speak("Once more.").status_code == 200, "Redis has not counted the others"
    until(lambda: kept(shared), "it keeps what is spoken again")


def test_a_server_starts_without_redis(start, shared):
    shared.kill()
    server = start(**PATIENT, redis_url=shared.url)
    assert is_away(server)
    assert server.speak("Hello.").status_code == 200
    shared.start()
    until(lambda: is_back(server), "it finds Redis")
    server.speak("Goodbye.")
    until(lambda: kept(shared), "and uses it")


@pytest.mark.parametrize("what", ["frozen", "gone", "full", "slow"])
def test_no_request_takes_longer_for_the_state_of_redis(start, shared, what):
    """By more than a tenth of a second, in the middle of traffic: first one, then many."""
    way = SlowWay(shared.port, 0.0)
    server = start(engine="stub", redis_url=way.url, rate_limit="10000/minute")
    numbers = iter(range(1000))

    def ask():
        answer = server.speak(f"Number {next(numbers)}.")
        assert answer.status_code == 200
        return answer

    usual = max(seconds(ask) for _ in range(5))
    if what == "slow":
        way.delay_s = 1.0
    else:
        {"frozen": shared.freeze, "gone": shared.kill, "full": shared.fill}[what]()
    took = [seconds(ask) for _ in range(30)]
    # The same again for a machine that is busy with other tests.
    assert min(took) < usual + 0.1
    assert took[0] < usual + 0.2
    assert sorted(took)[-3] < usual + 0.1
    until(lambda: is_away(server), "it says so")
    assert server.get("/health/ready").status_code == 200
    with ThreadPoolExecutor(16) as threads:
        assert max(threads.map(lambda _: seconds(ask), range(64))) < 1.0
    way.delay_s = 0.0
    if what in ("frozen", "full"):
        {"frozen": shared.thaw, "full": shared.empty}[what]()
    elif what == "gone":
        shared.start()
    until(lambda: is_back(server), "it has recovered by itself")
    before = set(kept(shared))
    until(lambda: ask() and set(kept(shared)) - before, "it keeps what it speaks again")
    assert server.troubles() == []
    way.close()


def test_what_is_in_a_full_redis_is_still_found(pair, shared):
    one, other = pair
    one.speak("Hello.")
    until(lambda: kept(shared), "it is kept in Redis")
    size_bytes = one.metric("autovoice_cache_size_bytes", cache="redis")
    shared.fill()
    assert other.speak("Hello.").headers["X-Cache"] == "hit"
    one.speak("Something else.")
    until(lambda: is_away(one), "it says that Redis keeps nothing")
    # What Redis has refused does not count as kept.
    shared.empty()
    assert one.metric("autovoice_cache_size_bytes", cache="redis") == size_bytes


def test_while_sentences_wait_for_a_worker_what_is_cheap_is_not_handed_on(start, shared):
    """It is kept on its own server, and spoken again on others; what Redis has is found."""
    settings = {**PATIENT, "redis_url": shared.url, "engine_workers": 1}
    one, other = [start(wait=False, **settings).wait_until_ready() for _ in range(2)]
    other.speak("Known.")
    until(lambda: kept(shared), "it is kept in Redis")
    with ThreadPoolExecutor(3) as threads:
        busy = [threads.submit(one.speak, "PAUSE " * 30)]
        until(lambda: one.metric("autovoice_synthesis_in_progress") == 1, "the worker has begun")
        busy.append(threads.submit(one.speak, "One that waits."))
        until(lambda: one.metric("autovoice_synthesis_queue_depth") == 1, "a sentence waits")
        busy.append(threads.submit(one.speak, "Cheap."))
        assert one.speak("Known.").headers["X-Cache"] == "hit"
        assert [each.result().headers["X-Cache"] for each in busy] == ["miss"] * 3
    until(lambda: len(kept(shared)) == 3, "those that did not wait behind others are kept")
    assert one.speak("Cheap.").headers["X-Cache"] == "hit"
    assert other.speak("Cheap.").headers["X-Cache"] == "miss"
    assert other.speak("One that waits.").headers["X-Cache"] == "hit"


def test_who_waits_for_another_server_does_not_wait_for_redis(pair, shared):
    """It freezes while the one speaks and the other waits: then both speak."""
    one, other = pair
    text = "PAUSE " * 30  # 1.5 s
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(one.speak, text)
        until(lambda: shared.keys(f"{PREFIX}audio!*"), "it has claimed to speak it")
        second = threads.submit(other.speak, text)
        time.sleep(0.2)
        shared.freeze()
        assert first.result().status_code == second.result().status_code == 200
        assert other.metric("autovoice_synthesis_batch_size_sum") == 1
    shared.thaw()


def test_a_restart_of_redis_fails_no_request(pair, shared):
    problems, done = [], threading.Event()

    def listener(server):
        number = 0
        while not done.is_set():
            number += 1
            answer = server.speak(f"{server.port} {number}.")
            if answer.status_code != 200:
                problems.append(answer.text)

    threads = [threading.Thread(target=listener, args=(server,)) for server in pair]
    for thread in threads:
        thread.start()
    shared.kill()
    time.sleep(0.5)
    shared.start()
    for server in pair:
        until(lambda server=server: is_back(server), "it uses Redis again")
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_redis_that_hangs_up_on_silent_clients_is_not_at_fault(pair, shared):
    """As many are configured to: the next request connects anew."""
    one, _ = pair
    one.speak("Hello.")
    until(lambda: kept(shared), "it is kept in Redis")
    shared.client.client_kill_filter(_type="normal", skipme=True)
    one.speak("Goodbye.")
    until(lambda: len(kept(shared)) == 2, "it is kept in Redis, too")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "nonsense"])
def test_a_url_that_is_not_one_of_redis_is_a_wrong_setting(url):
    done = subprocess.run(
        [AUTOVOICE, "serve", "--port", "0"],
        env=environment({"redis_url": url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"AUTOVOICE_REDIS_URL" in done.stdout
