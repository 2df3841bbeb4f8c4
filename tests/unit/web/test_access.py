"""Who is let in, and how often."""

import hmac

import pytest

from auto_voice.errors import InvalidAPIKey, RateLimited
from auto_voice.web.access import Gate, KeyRing, RateLimit

KEYS = {"sesame": "alice", "swordfish": "bob"}


def test_without_keys_everybody_is_let_in_without_a_name():
    ring = KeyRing({})
    assert not ring
    for given in ("", "Bearer ", "Bearer anything", "nonsense"):
        assert ring.name_of(given, "") == ""


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "name"),
    [
        ("Bearer sesame", "", "alice"),
        ("bearer swordfish", "", "bob"),
        ("Bearer   sesame  ", "", "alice"),
        ("", "swordfish", "bob"),
        ("", " sesame ", "alice"),
        ("Bearer ", "sesame", "alice"),
        ("Basic c2VzYW1l", "sesame", "alice"),
        ("Bearer sesame", "swordfish", "alice"),
    ],
)
def test_a_key_is_found_in_either_header(authorization, x_api_key, name):
    """A bearer comes first, but an empty or another kind of one hides nothing."""
    assert KeyRing(KEYS).name_of(authorization, x_api_key) == name


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "word"),
    [
        ("", "", "missing"),
        ("Bearer", "", "missing"),
        ("Bearer ", " ", "missing"),
        ("Bearer sesam", "", "not valid"),
        ("Bearer sesame2", "", "not valid"),
        ("Bearer SESAME", "", "not valid"),
        ("Bearer alice", "", "not valid"),
        ("Bearer wrong", "sesame", "not valid"),
        ("Bearer \xff\u20ac", "", "not valid"),
        ("sesame", "", "missing"),
    ],
)
def test_anything_else_is_refused(authorization, x_api_key, word):
    """The message tells a missing key from a wrong one."""
    with pytest.raises(InvalidAPIKey, match=word):
        KeyRing(KEYS).name_of(authorization, x_api_key)


def test_every_key_is_compared_in_constant_time(monkeypatch):
    """Even after the right one has been found: the time taken tells nothing."""
    compared = []
    real = hmac.compare_digest

    def noted(one, other):
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr("auto_voice.web.access.hmac.compare_digest", noted)
    ring = KeyRing({f"key{number}": str(number) for number in range(5)})
    ring.name_of("Bearer key0", "")
    assert len(compared) == 5
    with pytest.raises(InvalidAPIKey):
        ring.name_of("Bearer none", "")
    assert len(compared) == 10


def test_a_limit_is_for_each_client():
    limit = RateLimit("2/hour")
    for client in ("alice", "bob"):
        limit.check(client)
        limit.check(client)
        with pytest.raises(RateLimited) as raised:
            limit.check(client)
        assert 3500 < raised.value.retry_after_s <= 3600


@pytest.mark.parametrize("limits", ["1/minute;3/hour", "3/hour;1/minute"])
def test_a_refused_request_uses_up_nothing_of_the_longer_limit(limits):
    """Who tries again too soon does not lose what is left of the hour."""
    limit = RateLimit(limits)
    limit.check("alice")
    for _ in range(10):
        with pytest.raises(RateLimited) as raised:
            limit.check("alice")
        assert raised.value.retry_after_s <= 60


def test_retry_after_is_never_less_than_a_second():
    """A client that is told zero comes back at once."""
    limit = RateLimit("1/second")
    limit.check("alice")
    with pytest.raises(RateLimited) as raised:
        limit.check("alice")
    assert raised.value.retry_after_s >= 1


def admitted(gate, route, method="POST", **environ):
    facts = {"route": route}
    gate.admit({"REQUEST_METHOD": method, "REMOTE_ADDR": "192.0.2.7", **environ}, facts)
    return facts


def test_public_routes_need_no_key_and_ask_for_none():
    """Not even a wrong one is looked at there."""
    gate = Gate(KEYS, "", {"/health"}, limited={"/speech"})
    assert "key" not in admitted(gate, "/health", HTTP_AUTHORIZATION="Bearer wrong")
    assert admitted(gate, "/speech", HTTP_AUTHORIZATION="Bearer sesame")["key"] == "alice"
    with pytest.raises(InvalidAPIKey):
        admitted(gate, "/speech")


def test_the_limit_is_for_one_route_and_by_key_or_address():
    gate = Gate({}, "1/hour", {"/health"}, limited={"/speech"})
    for _ in range(3):
        admitted(gate, "/health")
        admitted(gate, "/speech", method="OPTIONS")
    admitted(gate, "/speech")
    with pytest.raises(RateLimited):
        admitted(gate, "/speech")
    admitted(gate, "/speech", REMOTE_ADDR="192.0.2.8")
    keyed = Gate(KEYS, "1/hour", set(), limited={"/speech"})
    for key in KEYS:
        admitted(keyed, "/speech", HTTP_AUTHORIZATION=f"Bearer {key}")
        with pytest.raises(RateLimited):
            admitted(keyed, "/speech", HTTP_AUTHORIZATION=f"Bearer {key}", REMOTE_ADDR="::1")
