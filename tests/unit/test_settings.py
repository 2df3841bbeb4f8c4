"""Settings are right, or the start is refused with everything that is wrong."""

import os
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice import settings
from auto_voice.errors import SettingsError
from auto_voice.settings import Settings, is_loopback, is_secret, load, unknown

FIELDS = {field.name: field for field in msgspec.structs.fields(Settings)}
DEFAULTS = Settings()
SECRET = "s3cr3t-9f8a7b"


def kinds():
    """Field to msgspec's description of its type."""
    return {field.name: field.type for field in msgspec.inspect.type_info(Settings).fields}


def wrong_values():
    """(field, a value that it must not have), several for each field that has a range."""
    for name, kind in kinds().items():
        if isinstance(kind, msgspec.inspect.Metadata):
            kind = kind.type
        if isinstance(kind, (msgspec.inspect.IntType, msgspec.inspect.FloatType)):
            yield name, "many"
            yield name, "1,5"
            if kind.ge is not None:
                yield name, str(kind.ge - 1)
            if kind.le is not None:
                yield name, str(kind.le + 1)
            if isinstance(kind, msgspec.inspect.FloatType):
                yield from ((name, text) for text in ("nan", "inf", "-inf"))
            else:
                yield name, "2.5"
        elif isinstance(kind, msgspec.inspect.LiteralType):
            yield name, "perhaps"
        elif isinstance(kind, msgspec.inspect.StrType) and kind.min_length:
            yield name, "   "
    yield "engine", "espeak,festival"
    yield "engine", "auto,espeak"
    yield "voice_aliases", "alloy"
    yield "voice_aliases", "=en"
    yield "voice_aliases", "alloy="
    yield "voice_aliases", "a=b,c"
    yield "rate_limit", "often"
    yield "rate_limit", "10/fortnight"
    yield "rate_limit", "-1/second"


def test_defaults_are_right():
    """A newcomer sets nothing."""
    assert load({}) == DEFAULTS
    assert (DEFAULTS.host, DEFAULTS.port, DEFAULTS.engine) == ("127.0.0.1", 5000, "auto")


@pytest.mark.parametrize("name, value", list(wrong_values()))
def test_a_wrong_value_is_refused_by_its_name(name, value):
    variable = f"AUTOVOICE_{name.upper()}"
    with pytest.raises(SettingsError) as caught:
        load({variable: value})
    assert variable in caught.value.message


def test_every_field_with_a_range_was_tried():
    free = {
        "admin_keys",
        "admin_keys_file",
        "api_keys",
        "api_keys_file",
        "cache_dir",
        "lexicon_dir",
        "log_config",
        "log_dir",
        "metrics_token",
        "native_lib",
        "redis_url",
        "ssml_audio_dir",
        "voice_dir",
        "voices",
        "websocket_origins",
    }
    assert {name for name, _ in wrong_values()} == set(FIELDS) - free


def test_all_problems_are_in_one_message():
    """One start is enough to find them all."""
    wrong = {}
    for name, value in wrong_values():
        wrong[f"AUTOVOICE_{name.upper()}"] = value
    wrong["AUTOVOICE_API_KEYS_FILE"] = "/nowhere"
    with pytest.raises(SettingsError) as caught:
        load(wrong)
    assert [name for name in wrong if name not in caught.value.message] == []
    assert len(caught.value.message.splitlines()) >= len(wrong)


def test_a_wrong_choice_is_told_the_right_ones():
    with pytest.raises(SettingsError) as caught:
        load({"AUTOVOICE_LOG_LEVEL": "loud"})
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        assert level in caught.value.message


def test_right_values_are_taken():
    loaded = load(
        {
            "AUTOVOICE_PORT": " 8080 ",
            "AUTOVOICE_ENGINE": "stub",
            "AUTOVOICE_ENGINE_TIMEOUT_S": "2.5",
            "AUTOVOICE_CACHE": "off",
            "AUTOVOICE_VOICE_ALIASES": " a = en-us , b=de+f3,",
            "AUTOVOICE_RATE_LIMIT": "10/second;500/hour",
            "PATH": "/bin",
        }
    )
    assert (loaded.port, loaded.engine, loaded.engine_timeout_s) == (8080, "stub", 2.5)
    assert loaded.cache == "off"
    assert loaded.aliases == {"a": "en-us", "b": "de+f3"}


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_an_empty_variable_is_one_that_is_not_set(name):
    """As docker-compose passes on what nobody has set."""
    assert load({f"AUTOVOICE_{name.upper()}": ""}) == DEFAULTS


def test_the_command_line_wins():
    environ = {"AUTOVOICE_PORT": "1000", "AUTOVOICE_HOST": "localhost"}
    assert load(environ, port=2000).port == 2000
    assert load(environ, port=0).port == 0
    assert load(environ, port=None).port == 1000
    assert load(environ, port=2000).host == "localhost"


def test_the_command_line_is_held_to_the_same_ranges():
    with pytest.raises(SettingsError, match="AUTOVOICE_PORT"):
        load({}, port=70_000)


def test_a_setting_that_does_not_exist_is_a_programming_error():
    with pytest.raises(TypeError):
        load({}, prot=5000)


def test_the_environment_is_read_unless_another_one_is_given(monkeypatch):
    monkeypatch.setenv("AUTOVOICE_PORT", "1234")
    assert load().port == 1234
    assert load({}).port == 5000


def test_settings_do_not_change():
    with pytest.raises(AttributeError):
        DEFAULTS.port = 1


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_says_what_it_is(name):
    """Its description is in the documents and in `autovoice doctor`."""
    kind = kinds()[name]
    assert isinstance(kind, msgspec.inspect.Metadata)
    assert kind.extra_json_schema["description"].endswith(".")


class TestAddress:
    """Others may reach the server only where keys, or a word of the operator, allow it."""

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "[::]"])
    def test_without_keys_it_is_refused(self, host):
        with pytest.raises(SettingsError) as caught:
            load({"AUTOVOICE_HOST": host})
        for name in ("HOST", "API_KEYS", "API_KEYS_FILE", "ALLOW_ANONYMOUS"):
            assert f"AUTOVOICE_{name}" in caught.value.message

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.5.5.5", "::1", "[::1]", "localhost"])
    def test_on_loopback_nothing_is_needed(self, host):
        assert load({"AUTOVOICE_HOST": host}).host == host

    def test_keys_allow_it(self, tmp_path):
        environ = {"AUTOVOICE_HOST": "0.0.0.0"}
        assert load({**environ, "AUTOVOICE_API_KEYS": "key"}).host == "0.0.0.0"
        (tmp_path / "keys").write_text("key\n")
        assert load({**environ, "AUTOVOICE_API_KEYS_FILE": str(tmp_path / "keys")})

    def test_keys_that_are_none_do_not(self, tmp_path):
        """An empty file, or one of comments, protects nothing."""
        (tmp_path / "keys").write_text("# nobody yet\n\n  \n")
        for keys in (
            {"AUTOVOICE_API_KEYS": " , ,"},
            {"AUTOVOICE_API_KEYS_FILE": str(tmp_path / "keys")},
        ):
            with pytest.raises(SettingsError):
                load({"AUTOVOICE_HOST": "0.0.0.0", **keys})

    def test_the_operators_word_allows_it(self):
        assert load({"AUTOVOICE_HOST": "0.0.0.0", "AUTOVOICE_ALLOW_ANONYMOUS": "on"})

    @given(host=st.text(max_size=30))
    def test_what_is_no_address_is_not_taken_for_loopback(self, host):
        safe = host == "localhost" or host.startswith("unix:")
        if is_loopback(host) and not safe:
            assert host.strip("[]").startswith("127.") or ":" in host


class TestWyoming:
    """It knows no keys, so that keys do not let it be reached from elsewhere."""

    BESIDE = {"AUTOVOICE_WYOMING_PORT": "10200", "AUTOVOICE_WYOMING_HOST": "0.0.0.0"}

    def test_without_the_operators_word_it_is_refused(self):
        with pytest.raises(SettingsError) as caught:
            load({**self.BESIDE, "AUTOVOICE_API_KEYS": "key"})
        for name in ("WYOMING_HOST", "ALLOW_ANONYMOUS"):
            assert f"AUTOVOICE_{name}" in caught.value.message

    def test_with_it_or_on_loopback_it_is_not(self):
        assert load({**self.BESIDE, "AUTOVOICE_ALLOW_ANONYMOUS": "on"}).wyoming_port == 10200
        assert load({"AUTOVOICE_WYOMING_PORT": "10200"}).wyoming_host == "127.0.0.1"

    def test_where_it_is_off_its_address_means_nothing(self):
        assert load({"AUTOVOICE_WYOMING_HOST": "0.0.0.0"}).wyoming_port == 0


class TestKeys:
    """From the environment and from a file, with or without names."""

    def test_of_the_environment(self):
        assert load({"AUTOVOICE_API_KEYS": "me:abc, you : def ,xyz"}).keys() == {
            "abc": "me",
            "def": "you",
            "xyz": "key3",
        }

    def test_of_a_file(self, tmp_path):
        path = tmp_path / "keys"
        path.write_text("# ours\nme:abc\n\n  you:def  \nxyz\n", encoding="utf-8")
        loaded = load({"AUTOVOICE_API_KEYS_FILE": str(path), "AUTOVOICE_API_KEYS": "first"})
        assert loaded.keys() == {"first": "key1", "abc": "me", "def": "you", "xyz": "key4"}

    def test_of_a_file_made_on_windows(self, tmp_path):
        """With a byte order mark and its own line ends."""
        path = tmp_path / "keys"
        path.write_bytes("\ufeffme:abc\r\nxyz\r\n".encode())
        loaded = load({"AUTOVOICE_API_KEYS_FILE": str(path)})
        assert loaded.keys() == {"abc": "me", "xyz": "key2"}

    @pytest.mark.parametrize("keys", [":abc", "me:", "me:a b", "schlüssel", "me:ключ", "a\tb"])
    def test_what_is_no_key_is_refused(self, keys):
        with pytest.raises(SettingsError, match="API key number 2"):
            load({"AUTOVOICE_API_KEYS": f"good,{keys}"})

    def test_a_file_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(SettingsError, match="AUTOVOICE_API_KEYS_FILE cannot be read"):
            load({"AUTOVOICE_API_KEYS_FILE": str(tmp_path / "nothing")})

    def test_a_file_that_is_no_text_is_refused(self, tmp_path):
        (tmp_path / "keys").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(SettingsError, match="AUTOVOICE_API_KEYS_FILE cannot be read"):
            load({"AUTOVOICE_API_KEYS_FILE": str(tmp_path / "keys")})


class TestSecrets:
    """They are never shown, in whatever is wrong with them."""

    @pytest.mark.parametrize("name", ["api_keys", "redis_url"])
    def test_which_they_are(self, name):
        assert is_secret(name)
        assert not is_secret("host")

    @pytest.mark.parametrize(
        "keys",
        [f"{SECRET} {SECRET}", f"me:{SECRET}é", f"{SECRET}é", f":{SECRET}", f"good,{SECRET} x"],
    )
    def test_in_no_message_about_keys(self, keys, tmp_path):
        (tmp_path / "keys").write_text(keys, encoding="utf-8")
        for environ in (
            {"AUTOVOICE_API_KEYS": keys},
            {"AUTOVOICE_API_KEYS_FILE": str(tmp_path / "keys")},
        ):
            with pytest.raises(SettingsError) as caught:
                load({**environ, "AUTOVOICE_PORT": "none"})
            assert SECRET not in caught.value.message
            assert "AUTOVOICE_PORT" in caught.value.message

    def test_in_no_message_about_anything_else(self):
        with pytest.raises(SettingsError) as caught:
            load(
                {
                    "AUTOVOICE_API_KEYS": SECRET,
                    "AUTOVOICE_REDIS_URL": f"redis://:{SECRET}@host",
                    "AUTOVOICE_HOST": "0.0.0.0",
                    "AUTOVOICE_PORT": "none",
                }
            )
        assert SECRET not in caught.value.message

    def test_not_even_where_a_secret_is_of_the_wrong_type(self):
        with pytest.raises(SettingsError) as caught:
            load({}, api_keys=[SECRET], redis_url={"url": SECRET})
        assert "AUTOVOICE_API_KEYS=(hidden)" in caught.value.message
        assert SECRET not in caught.value.message

    def test_in_no_traceback_or_log_line_that_shows_the_settings(self):
        loaded = load({"AUTOVOICE_API_KEYS": SECRET, "AUTOVOICE_REDIS_URL": f"redis://:{SECRET}@h"})
        assert SECRET not in repr(loaded)
        assert SECRET not in str(loaded)

    @given(keys=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20))
    def test_whatever_is_wrong_with_them(self, keys):
        try:
            load({"AUTOVOICE_API_KEYS": f"{keys}{SECRET}{keys}"})
        except SettingsError as error:
            assert SECRET not in error.message


class TestKubernetes:
    """It sets variables of its own in every pod beside a service named autovoice."""

    SERVICE = {
        "AUTOVOICE_PORT": "tcp://10.0.0.7:5000",
        "AUTOVOICE_SERVICE_HOST": "10.0.0.7",
        "AUTOVOICE_WYOMING_PORT": "tcp://10.0.0.8:10200",  # of one named autovoice-wyoming
        "AUTOVOICE_SERVICE_PORT": "5000",
        "AUTOVOICE_PORT_5000_TCP": "tcp://10.0.0.7:5000",
        "AUTOVOICE_PORT_5000_TCP_ADDR": "10.0.0.7",
    }

    def test_they_do_not_stop_the_start(self):
        assert load(self.SERVICE) == DEFAULTS

    def test_they_are_named_as_what_is_no_setting(self):
        assert unknown(self.SERVICE) == sorted(
            set(self.SERVICE) - {"AUTOVOICE_PORT", "AUTOVOICE_WYOMING_PORT"}
        )

    def test_a_slip_in_a_name_is_found(self):
        assert unknown({"AUTOVOICE_PROT": "1", "AUTOVOICE_HOST": "x", "PATH": "y"}) == [
            "AUTOVOICE_PROT"
        ]


class TestDerived:
    """What follows from several settings."""

    def test_the_longest_text_fits_into_a_body(self):
        """Even where JSON escapes each of its characters."""
        loaded = load({"AUTOVOICE_MAX_INPUT_CHARS": "1000"})
        body = msgspec.json.encode({"input": "\x01" * 1000, "voice": "v" * 200})
        assert len(body) <= loaded.body_limit_bytes
        assert len('"\\ud83d\\ude00"') * 1000 <= loaded.body_limit_bytes
        assert load({"AUTOVOICE_MAX_BODY_BYTES": "77"}).body_limit_bytes == 77

    def test_one_worker_a_core(self, monkeypatch):
        monkeypatch.setattr(settings, "available_cores", lambda: 7)
        assert DEFAULTS.engine_worker_count == 7
        assert load({"AUTOVOICE_ENGINE_WORKERS": "3"}).engine_worker_count == 3

    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
    def test_cores_are_those_that_may_be_used(self, monkeypatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 3, 5})
        assert settings.available_cores() == 3

    def test_cores_are_known_on_every_system(self, monkeypatch):
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        assert settings.available_cores() >= 1


def test_settings_are_read_without_loading_what_is_heavy():
    """`autovoice --help` reads them, too."""
    import subprocess

    script = "import sys, auto_voice.settings as s; s.load({}); print('limits' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize("name", ["redis_url", "metrics_token"])
def test_a_secret_may_be_in_a_file(tmp_path, name):
    """As containers hand secrets over; the line's end is no part of it."""
    path = tmp_path / "secret"
    path.write_text("redis://:word@host/0\n")
    variable = f"AUTOVOICE_{name.upper()}_FILE"
    assert getattr(load({variable: str(path)}), name) == "redis://:word@host/0"
    assert unknown({variable: str(path)}) == []
    assert getattr(load({variable: ""}), name) == ""


def test_a_secret_has_one_place(tmp_path):
    """Both are set: which one is meant, nobody can know."""
    path = tmp_path / "secret"
    path.write_text("one")
    with pytest.raises(SettingsError, match="are both set"):
        load({"AUTOVOICE_METRICS_TOKEN": "two", "AUTOVOICE_METRICS_TOKEN_FILE": str(path)})


def test_a_secrets_file_that_cannot_be_read_stops_the_start(tmp_path):
    with pytest.raises(SettingsError, match="AUTOVOICE_REDIS_URL_FILE cannot be read"):
        load({"AUTOVOICE_REDIS_URL_FILE": str(tmp_path / "nowhere")})
