"""What the studio keeps of a browser, and who gets to see it."""

import pytest

from auto_voice.web.sessions import COOKIE, HERE_BYTES, Sessions

WHERE = "/studio/session"
STATE = {"text": "Grüße 🙂", "voice": "nova", "speed": 1.5, "recent": [{"text": "a", "voice": "b"}]}


def cookie(client):
    return client.get_cookie(COOKIE)


def test_what_is_kept_is_there_again(client):
    assert client.get(WHERE).status_code == 204
    assert client.put(WHERE, json=STATE).status_code == 204
    found = client.get(WHERE)
    assert STATE.items() <= found.json.items()
    assert found.headers["Cache-Control"] == "no-store"
    secret = cookie(client).value
    client.put(WHERE, json={"text": "other"})
    assert client.get(WHERE).json["text"] == "other"
    assert cookie(client).value == secret


def test_no_script_and_no_other_site_gets_the_cookie(client):
    client.put(WHERE, json=STATE)
    made = cookie(client)
    assert (made.http_only, made.same_site, made.path, made.secure) == (True, "Strict", "/", False)
    assert made.max_age == 7 * 86_400
    assert len(made.value) == 43


@pytest.mark.parametrize("how", ["proxy", "itself"])
def test_over_tls_it_is_for_tls_only(client, how):
    options = {"headers": {"X-Forwarded-Proto": "https"}}
    answer = client.put(
        WHERE, json=STATE, **(options if how == "proxy" else {"base_url": "https://localhost"})
    )
    assert answer.headers["Set-Cookie"].endswith("; Secure")


def test_nobody_else_sees_it(app_with):
    one, other = app_with(), app_with()
    one.put(WHERE, json=STATE)
    assert other.get(WHERE).status_code == 204


def test_what_is_forgotten_is_gone_and_so_is_the_cookie(client):
    client.put(WHERE, json=STATE)
    secret = cookie(client).value
    assert client.delete(WHERE).status_code == 204
    assert cookie(client) is None
    client.set_cookie(COOKIE, secret)
    assert client.get(WHERE).status_code == 204


@pytest.mark.parametrize("given", ["a" * 43, "a", "", '"', "a" * 5000, "../" * 10, "é"])
def test_a_secret_that_somebody_else_has_chosen_is_not_used(client, given):
    """Or whoever plants one in a browser could read what is written there."""
    client.put(WHERE, json=STATE, headers={"Cookie": f"{COOKIE}={given}"})
    assert cookie(client).value != given
    answer = client.get(WHERE, headers={"Cookie": f"{COOKIE}={given}"})
    assert answer.status_code == 200 or answer.data == b""


def test_with_keys_each_has_sessions_of_its_own(app_with):
    client = app_with(api_keys="alice:one,bob:two")
    assert client.get(WHERE).status_code == 401
    assert client.put(WHERE, json=STATE).status_code == 401
    client.put(WHERE, json=STATE, headers={"X-API-Key": "one"})
    assert client.get(WHERE, headers={"X-API-Key": "one"}).status_code == 200
    assert client.get(WHERE, headers={"X-API-Key": "two"}).status_code == 204


@pytest.mark.parametrize(
    "body, status",
    [
        ({"text": "x" * 70_000}, 413),
        ({"text": 1}, 400),
        ({"voice": "x" * 201}, 400),
        ({"recent": [{"text": "a", "voice": "b"}] * 11}, 400),
        ([], 400),
    ],
)
def test_what_is_too_much_or_no_state_is_refused(client, body, status):
    assert client.put(WHERE, json=body).status_code == status
    assert cookie(client) is None


def test_a_form_of_another_site_cannot_write_it(client):
    """Browsers send those without asking first, but not as JSON."""
    assert client.put(WHERE, data="text=a", content_type="text/plain").status_code == 415


def test_a_setting_switches_them_off(app_with):
    client = app_with(studio_sessions="off")
    assert client.get(WHERE).status_code == 404
    page = client.get("/").text
    assert 'data-sessions="off"' in page and "seven days" not in page


def test_sessions_in_memory_have_a_bound():
    """The oldest go first."""
    sessions = Sessions(None)
    for number in range(300):
        sessions.save(str(number), bytes(64 << 10))
    assert sessions.load("0") is None
    assert sessions.load("299") is not None
    kept = sum(sessions.load(str(number)) is not None for number in range(300))
    assert kept == HERE_BYTES // (64 << 10)
