"""Keys, the rate limit, and what a server refuses to be started with."""

import subprocess

import pytest

from tests.integration.serving import (
    AUTOVOICE,
    SPEECH,
    assert_error,
    environment,
    until,
)

KEYS = "alice:correct-horse,bob:battery-staple,tr0ub4dor"
LISTINGS = ("/v1/audio/voices", "/v1/audio/models", "/v1/audio/voices/en-us")
PUBLIC = (
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/status",
)


@pytest.fixture(scope="module")
def keyed(start_for_module):
    return start_for_module(engine="stub", api_keys=KEYS)


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["correct-horse", "battery-staple", "tr0ub4dor"])
@pytest.mark.parametrize(
    "form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer  {} "], ids=["usual", "a", "A", "space"]
)
def test_every_key_opens(keyed, key, form):
    answer = keyed.speak("Hello.", headers={"Authorization": form.format(key).strip()})
    assert answer.status_code == 200


@pytest.mark.parametrize("key", ["correct-horse", "battery-staple", "tr0ub4dor"])
def test_a_key_may_come_as_x_api_key(keyed, key):
    """What some clients send instead."""
    assert keyed.speak("Hello.", headers={"X-API-Key": key}).status_code == 200
    # SillyTavern's empty bearer does not hide it.
    with keyed.connect() as connection:
        connection.ask({"input": "Hello."}, "Authorization: Bearer ", f"X-API-Key: {key}")
        assert connection.answer().status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer alice"},
        {"Authorization": "Bearer alice:correct-horse"},
        {"Authorization": "Bearer correct-hors"},
        {"Authorization": "Bearer correct-horse2"},
        {"Authorization": "Bearer Correct-Horse"},
        {"Authorization": "Bearer correct-horse battery-staple"},
        {"Authorization": "Bearer correct-horse,battery-staple"},
        {"Authorization": "Bearer " + "x" * 4000},
        {"Authorization": "Bearer correct-horse\xe9".encode("latin-1")},
        {"Authorization": "Basic Y29ycmVjdC1ob3JzZTo="},
        {"Authorization": "correct-horse"},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"Cookie": "key=correct-horse"},
    ],
    ids=lambda headers: repr(headers)[:50],
)
def test_anything_else_does_not_open(keyed, headers):
    """And the answer says how a key is sent, but nothing about the right ones."""
    answer = keyed.speak("Hello.", headers=headers)
    error = assert_error(answer, 401, "invalid_api_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer" in error["message"]
    assert not [key for key in KEYS.split(",") if key.split(":")[-1] in answer.text]


def test_a_key_in_the_address_does_not_open(keyed):
    """There it would end up in logs."""
    for query in ("key=correct-horse", "api_key=correct-horse", "access_token=correct-horse"):
        assert keyed.request("POST", f"{SPEECH}?{query}", json={"input": "a"}).status_code == 401


def test_the_right_key_is_asked_for_before_anything_else(keyed):
    """Who has none learns nothing about voices, models or limits."""
    for fields in ({"voice": "nobody"}, {"model": "none"}, {"speed": 9}):
        assert keyed.speak(**fields).status_code == 401
    assert keyed.speak("a" * 100_000).status_code == 401
    assert keyed.request("POST", SPEECH, data=b"nonsense").status_code == 401


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/tts-1"])
def test_models_need_a_key(keyed, path):
    assert_error(keyed.get(path), 401, "invalid_api_key")
    assert keyed.get(path, headers=bearer("correct-horse")).status_code == 200


@pytest.mark.parametrize("path", (*LISTINGS, *PUBLIC))
def test_listings_and_operation_are_public(keyed, path):
    """Open WebUI lists voices without a key; probes and scrapers have none."""
    assert keyed.get(path).status_code == 200


def test_listings_are_closed_by_a_setting(start):
    server = start(engine="stub", api_keys=KEYS, public_listings="off")
    for path in LISTINGS:
        assert_error(server.get(path), 401, "invalid_api_key")
        assert server.get(path, headers=bearer("tr0ub4dor")).status_code == 200
    for path in PUBLIC:
        assert server.get(path).status_code == 200


def test_the_status_needs_a_key_unless_a_setting_opens_it(keyed, start):
    """It tells of others' requests; the page that shows it is only a page."""
    assert_error(keyed.get("/v1/status"), 401, "invalid_api_key")
    assert keyed.get("/v1/status", headers=bearer("tr0ub4dor")).status_code == 200
    server = start(engine="stub", api_keys=KEYS, public_status="on")
    assert server.get("/v1/status").status_code == 200
    assert_error(server.get("/v1/models"), 401, "invalid_api_key")


def test_who_tries_keys_at_the_status_is_in_the_log(keyed):
    """Although those who ask it with a right one every few seconds are not."""
    for identity, key in (("guessed", "wrong"), ("known", "tr0ub4dor")):
        headers = {**bearer(key), "X-Request-ID": identity}
        keyed.get("/v1/status", headers=headers)
    line = keyed.access_line("guessed")
    assert (line["route"], line["status"]) == ("/v1/status", 401)
    assert "known" not in [line.get("request_id") for line in keyed.log()]


def test_what_is_not_there_is_not_there_with_or_without_a_key(keyed):
    assert_error(keyed.get("/nothing"), 404, "not_found")
    assert_error(keyed.get("/nothing", headers=bearer("correct-horse")), 404, "not_found")


def test_keys_come_from_a_file(start, tmp_path):
    """With comments and names, beside those of the other setting."""
    path = tmp_path / "keys"
    path.write_text("# the office\ncarol:in-a-file\n\n  unnamed-one  \n", encoding="utf-8")
    server = start(engine="stub", api_keys="alice:from-outside", api_keys_file=path)
    for key in ("in-a-file", "unnamed-one", "from-outside"):
        assert server.speak("Hello.", headers=bearer(key)).status_code == 200
    for key in ("carol", "# the office", ""):
        assert server.speak("Hello.", headers=bearer(key)).status_code == 401


def test_the_log_says_whose_key_it_was_and_never_the_key(keyed):
    for key, name in (
        ("correct-horse", "alice"),
        ("battery-staple", "bob"),
        ("tr0ub4dor", "key3"),
    ):
        identity = f"logged-{name}"
        keyed.speak("Hello.", headers={**bearer(key), "X-Request-ID": identity})
        assert keyed.access_line(identity)["key"] == name
    keyed.speak("Hello.", headers={**bearer("wrong-secret"), "X-Request-ID": "logged-wrong"})
    line = keyed.access_line("logged-wrong")
    assert (line["status"], line["error"], line.get("key", "")) == (401, "invalid_api_key", "")
    output = keyed.output()
    for secret in ("correct-horse", "battery-staple", "tr0ub4dor", "wrong-secret"):
        assert secret not in output


# --- the rate limit -------------------------------------------------------------------------------


def test_each_key_has_a_rate_of_its_own(start):
    """Who asks too much is told when to come back, and nobody else notices."""
    server = start(engine="stub", api_keys=KEYS, rate_limit="3/hour")

    def ask(key):
        return server.speak("Hello.", headers=bearer(key))

    assert [ask("correct-horse").status_code for _ in range(3)] == [200] * 3
    refused = ask("correct-horse")
    assert_error(refused, 429, "rate_limit_exceeded")
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert "3" in refused.json()["error"]["message"]
    assert ask("battery-staple").status_code == 200
    # A wrong key is refused as such, and counts for nobody.
    assert [ask("wrong").status_code for _ in range(5)] == [401] * 5
    assert [ask("battery-staple").status_code for _ in range(3)] == [200, 200, 429]


def test_only_speech_is_limited(start):
    """Listings and probes are cheap, and must not use up what is for speech."""
    server = start(engine="stub", api_keys=KEYS, rate_limit="2/hour")
    headers = bearer("correct-horse")
    for path in ("/v1/models", "/v1/audio/voices", "/health", "/metrics"):
        for _ in range(4):
            assert server.get(path, headers=headers).status_code == 200
    server.request("OPTIONS", SPEECH, headers=headers)
    server.request("OPTIONS", SPEECH, headers=headers)
    assert [server.speak("a", headers=headers).status_code for _ in range(3)] == [200, 200, 429]


def test_without_keys_the_limit_is_for_an_address(start):
    server = start(engine="stub", rate_limit="2/minute")
    assert [server.speak("Hello.").status_code for _ in range(4)] == [200, 200, 429, 429]


def test_several_limits_hold_together(start):
    server = start(engine="stub", rate_limit="3/minute;4/hour")
    answers = [server.speak("Hello.") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) <= 60


def test_the_place_of_a_refused_request_is_not_taken(start):
    """The limit of one comes back as soon as its second is over, and not later."""
    server = start(engine="stub", rate_limit="1/second")
    assert server.speak("Hello.").status_code == 200
    until(lambda: server.speak("Hello.").status_code == 200, "the next second has come")
    refused = server.metric("autovoice_http_requests_total", route=SPEECH, code="429")
    assert server.metric("autovoice_synthesis_requests_total") == 2
    assert server.metric("autovoice_http_requests_total", route=SPEECH) == refused + 2


# --- refusing to start ----------------------------------------------------------------------------


def refusal(*arguments, command=AUTOVOICE, **settings):
    """What a server that does not start says, and its exit status."""
    words = [command] if isinstance(command, str) else command
    done = subprocess.run(
        [*words, "serve", *arguments],
        env=environment({"port": 0, **settings}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_addresses_than_loopback_need_keys(host):
    """Nobody opens a server to the world by accident; the message says what to do."""
    for status, message in (refusal("--host", host), refusal(host=host)):
        assert status == 2
        for name in (host, "AUTOVOICE_API_KEYS", "AUTOVOICE_ALLOW_ANONYMOUS"):
            assert name in message
        assert "Traceback" not in message


@pytest.mark.parametrize(
    "settings", [{"api_keys": KEYS}, {"allow_anonymous": "on"}], ids=["keys", "on purpose"]
)
def test_with_keys_or_on_purpose_they_are_served(start, settings):
    server = start(engine="stub", host="0.0.0.0", **settings)
    headers = bearer("correct-horse") if "api_keys" in settings else {}
    assert server.speak("Hello.", headers=headers).status_code == 200


def test_every_problem_is_named_at_once():
    """Not one after the other, start by start."""
    status, message = refusal(
        port="http",
        engine="festival",
        max_input_chars=0,
        drain_s="soon",
        rate_limit="often",
        voice_aliases="alloy",
        cache="perhaps",
        api_keys="bad key",
    )
    assert status == 2
    for name in (
        "PORT",
        "ENGINE",
        "MAX_INPUT_CHARS",
        "DRAIN_S",
        "RATE_LIMIT",
        "VOICE_ALIASES",
        "CACHE",
    ):
        assert f"AUTOVOICE_{name}" in message
    assert "API key number 1" in message
    assert "Traceback" not in message


def test_a_wrong_secret_is_not_repeated():
    status, message = refusal(api_keys="alice:has a space", redis_url="")
    assert status == 2
    assert "has a space" not in message


@pytest.mark.slow
def test_a_port_that_is_taken_is_said(stub):
    status, message = refusal("--port", str(stub.port))
    assert status not in (0, 2)
    assert str(stub.port) in message
    assert "Traceback" not in message


def test_a_cache_folder_that_cannot_be_written_is_said(tmp_path):
    file = tmp_path / "file"
    file.write_text("not a folder")
    status, message = refusal(engine="stub", cache_dir=file / "cache")
    assert status == 2
    assert "AUTOVOICE_CACHE_DIR" in message
    assert "Traceback" not in message


def test_a_key_file_that_is_not_there_is_said(tmp_path):
    status, message = refusal(api_keys_file=tmp_path / "nothing")
    assert status == 2
    assert "AUTOVOICE_API_KEYS_FILE" in message
