"""A client's word for a voice means one voice, the right one, or none."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.engines.engine import Capabilities, Description, Voice, describe
from auto_voice.errors import VoiceNotFound, VoiceUnavailable
from auto_voice.settings import load
from auto_voice.voices.catalogue import BrokenVoice, Catalogue, Roster
from tests.unit.engines.speaking import loaded


def voice(voice_id, name, gender=None, languages=(), engine="small", rate=16000):
    return Voice(
        id=voice_id,
        name=name,
        language=voice_id,
        engine=engine,
        sample_rate=rate,
        gender=gender,
        languages=(voice_id, *languages),
    )


SMALL = Description(
    name="small",
    version="1",
    capabilities=Capabilities(sample_rate=16000, languages=("de", "en", "en-gb", "en-us")),
    voices=(
        voice("en-us", "English (America)", "male", ["en"]),
        voice("en-gb", "English (Great Britain)", "female", ["en"]),
        voice("de", "German"),
        voice("chr-US-Qaaa-x-west", "Cherokee"),
    ),
    variants={"f2": "female", "Mr serious": "male", "plain": None},
    preferred={"en": "en-gb", "en-us": "en-us", "en-gb": "en-gb", "de": "de"},
)
OTHER = Description(
    name="other",
    version="1",
    capabilities=Capabilities(sample_rate=22050, languages=("fr",)),
    voices=(voice("fr", "French", "female", engine="other", rate=22050),),
    preferred={"fr": "fr", "en": "fr"},
)
ALIASES = {"alloy": "en-us", "Nova": "en-us+f2", "lost": "nowhere"}


@pytest.fixture
def catalogue():
    return Catalogue([SMALL, OTHER], ALIASES)


@pytest.fixture(scope="module")
def espeak():
    return Catalogue([describe(loaded("espeak"))], load({}).aliases)


@pytest.mark.parametrize(
    "name, found",
    [
        ("en-us", "en-us"),
        ("EN-US", "en-us"),
        ("en_US", "en-us"),
        (" en-us ", "en-us"),
        ("de", "de"),
        ("chr-us-qaaa-x-west", "chr-US-Qaaa-x-west"),
        ("en", "en-gb"),
        ("fr", "fr"),
        ("alloy", "en-us"),
        ("Alloy", "en-us"),
        ("nova", "en-us+f2"),
        ("en-us+f2", "en-us+f2"),
        ("EN-US+F2", "en-us+f2"),
        ("en+f2", "en-gb+f2"),
        ("alloy+f2", "en-us+f2"),
        ("de+mr serious", "de+Mr serious"),
        ("de + plain", "de+plain"),
    ],
)
def test_names_for_a_voice_find_it(catalogue, name, found):
    """Ids, aliases and languages, with and without a variant, in any letter case."""
    assert catalogue.find(name).id == found


@pytest.mark.parametrize(
    "name",
    ["", " ", "+", "+f2", "en-us+", "en-us+f3", "en-us+f2+f2", "xx", "e", "fr+f2", "lost", "\x00"],
)
def test_what_is_no_voice_finds_none(catalogue, name):
    """Never another voice instead."""
    with pytest.raises(VoiceNotFound) as caught:
        catalogue.find(name)
    assert caught.value.param == "voice"
    assert caught.value.status == 404


def test_a_variant_tells_what_it_is(catalogue):
    found = catalogue.find("en-us+f2")
    assert (found.variant, found.gender, found.language) == ("f2", "female", "en-us")
    assert found.name == "English (America), f2"
    assert catalogue.find("en-us+plain").gender == "male", "as the voice it is a variant of"


def test_the_first_engine_that_speaks_a_language_is_taken(catalogue):
    assert catalogue.find("en").engine == "small"


@pytest.mark.parametrize(
    "name, near",
    [
        ("en-uk", "en-gb"),
        ("alloi", "alloy"),
        ("german", "de"),
        ("en-us+f1", "en-us+f2"),
        ("de+serious", "de+Mr serious"),
        ("frensh", "fr"),
    ],
)
def test_near_matches_are_named(catalogue, name, near):
    with pytest.raises(VoiceNotFound) as caught:
        catalogue.find(name)
    assert near in caught.value.message
    assert "/v1/audio/voices" in caught.value.message


@given(name=st.text(st.characters(), max_size=300))
def test_any_name_is_a_voice_or_a_short_clean_refusal(name):
    catalogue = Catalogue([SMALL, OTHER], ALIASES)
    try:
        assert catalogue.find(name).id
    except VoiceNotFound as error:
        assert len(error.message) < 1000
        assert error.message.isprintable()


def test_a_voice_tells_its_aliases():
    """Each its own: what stands for a variant is no name of the voice, nor the other way round."""
    names = {"alloy": "en-us", "Nova": "EN-US+F2", "at_home": "en_us", "say": "de", "lost": "xx"}
    catalogue = Catalogue([SMALL, OTHER], names)
    assert catalogue.find("en-us").aliases == ("alloy", "at_home")
    assert catalogue.find("At_Home").aliases == catalogue.find("at-home").aliases
    assert catalogue.find("alloy+f2").aliases == ("Nova",)
    assert catalogue.find("en-gb").aliases == ()
    listed = {each.id: each.aliases for each in catalogue.list(variants=True)}
    assert {name for aliases in listed.values() for name in aliases} == set(names) - {"lost"}
    assert listed["en-us+f2"] == ("Nova",)


NEURAL = Roster(
    "piper",
    (
        msgspec.structs.replace(
            voice("de_DE-eva-high", "Eva", "female", ["de-de", "de"], engine="piper"),
            speakers=("Eva", "Tom"),
        ),
        voice("de_DE-max-low", "Max", "male", ["de-de", "de"], engine="piper"),
    ),
    preferred={"de-de": "de_DE-eva-high", "de": "de_DE-eva-high"},
)


class TestSeveralEngines:
    """One name means the same voice to everybody, and every voice can be named."""

    @pytest.fixture
    def both(self):
        broken = [BrokenVoice("de_DE-lost-low", "piper", "its file is cut")]
        return Catalogue([NEURAL, SMALL, OTHER], {**ALIASES, "eva": "de"}, broken)

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("de", "de_DE-eva-high"),
            ("DE_de", "de_DE-eva-high"),
            ("de-de-max-low", "de_DE-max-low"),
            ("small:de", "small:de"),
            ("Small:DE", "small:de"),
            ("small:en", "en-gb"),
            ("small:en-us", "en-us"),
            ("piper:de", "de_DE-eva-high"),
            ("en-us", "en-us"),
            ("eva", "de_DE-eva-high"),
            ("de+f2", "small:de+f2"),
            ("small:de+f2", "small:de+f2"),
            ("de+tom", "de_DE-eva-high+Tom"),
            ("de_DE-eva-high+Eva", "de_DE-eva-high+Eva"),
            ("eva+Tom", "de_DE-eva-high+Tom"),
        ],
    )
    def test_a_name_means_the_best_voice(self, both, name, found):
        """A language, whoever speaks it best; with a variant, whoever has that."""
        assert both.find(name).id == found

    def test_what_its_engine_calls_it_comes_along(self, both):
        assert both.find("small:de").own_id == "de"
        assert both.find("de+f2").own_id == "de+f2"
        assert both.find("de").own_id == "de_DE-eva-high"

    def test_without_the_better_voice_the_id_is_the_old_one(self, catalogue):
        assert catalogue.find("small:de").id == catalogue.find("de").id == "de"

    def test_everything_listed_can_be_found(self, both):
        listed = list(both.list(variants=True))
        assert {each.id: both.find(each.id) for each in listed} == {
            each.id: each for each in listed
        }
        assert len({each.id for each in listed}) == len(listed)
        assert [each.id for each in both.list()][:3] == ["de_DE-eva-high", "de_DE-max-low", "en-us"]

    def test_speakers_are_listed_as_variants(self, both):
        ids = [each.id for each in both.list(engine="piper", variants=True)]
        assert ids == [
            "de_DE-eva-high",
            "de_DE-eva-high+Eva",
            "de_DE-eva-high+Tom",
            "de_DE-max-low",
        ]
        assert both.find("de+tom").variant == "Tom"

    def test_one_engine_can_be_asked_for(self, both):
        assert both.find("de", "small").id == "small:de"
        assert both.find("eva", "small").id == "small:de"
        assert both.find("de", "piper").id == "de_DE-eva-high"
        with pytest.raises(VoiceNotFound):
            both.find("fr", "piper")

    @pytest.mark.parametrize(
        "name", ["other:de", "nobody:de", "piper:en-us", ":de", "de:", "de+f3"]
    )
    def test_no_other_engine_stands_in(self, both, name):
        with pytest.raises(VoiceNotFound):
            both.find(name)

    @pytest.mark.parametrize("name", ["de_DE-lost-low", "piper:de-de-lost-low"])
    def test_a_broken_voice_tells_why(self, both, name):
        with pytest.raises(VoiceUnavailable, match="its file is cut") as caught:
            both.find(name)
        assert (caught.value.status, caught.value.retryable) == (503, False)

    def test_near_matches_are_of_all_engines(self, both):
        with pytest.raises(VoiceNotFound, match="de_DE-eva-high"):
            both.find("de_DE-eve-high")
        with pytest.raises(VoiceNotFound, match=r"de_DE-eva-high\+Tom"):
            both.find("de_DE-eva-high+Toom")


class TestList:
    """Filters leave what passes all of them."""

    @pytest.mark.parametrize(
        "filters, found",
        [
            ({}, ["en-us", "en-gb", "de", "chr-US-Qaaa-x-west", "fr"]),
            ({"language": "en"}, ["en-us", "en-gb"]),
            ({"language": "EN_gb"}, ["en-gb"]),
            ({"language": "e"}, []),
            ({"language": "chr"}, ["chr-US-Qaaa-x-west"]),
            ({"gender": "female"}, ["en-gb", "fr"]),
            ({"engine": "other"}, ["fr"]),
            ({"engine": "nobody"}, []),
            ({"query": "america"}, ["en-us"]),
            ({"query": "ALLO"}, ["en-us"]),
            ({"query": "EN-"}, ["en-us", "en-gb", "fr"][:2]),
            ({"language": "en", "gender": "male"}, ["en-us"]),
            ({"language": "en", "query": "German"}, []),
        ],
    )
    def test_by_filter(self, catalogue, filters, found):
        assert [each.id for each in catalogue.list(**filters)] == found

    def test_with_variants(self, catalogue):
        ids = [each.id for each in catalogue.list(variants=True)]
        assert ids[:5] == ["en-us", "en-us+Mr serious", "en-us+f2", "en-us+plain", "en-gb"]
        assert len(ids) == 4 * 4 + 1

    def test_variants_pass_filters_too(self, catalogue):
        found = [each.id for each in catalogue.list(variants=True, gender="female", language="en")]
        assert found == ["en-us+f2", "en-gb", "en-gb+f2", "en-gb+plain"]
        assert [each.id for each in catalogue.list(variants=True, query="de+f2")] == ["de+f2"]
        assert [each.id for each in catalogue.list(variants=True, query="nova")] == ["en-us+f2"]

    def test_those_with_a_name(self, catalogue):
        """Variants among them, without listing the thousands that have none."""
        names = {alias for each in catalogue.list(named=True) for alias in each.aliases}
        everybody = catalogue.list(variants=True)
        assert names == {alias for each in everybody for alias in each.aliases}
        assert all(each.aliases for each in catalogue.list(named=True))
        assert any(each.variant for each in catalogue.list(named=True))

    def test_everything_listed_can_be_found(self, catalogue):
        for each in catalogue.list(variants=True):
            assert catalogue.find(each.id) == each

    def test_length_is_without_variants(self, catalogue):
        assert len(catalogue) == 5


class TestEspeak:
    """The embedded engine's voices under the names that clients send."""

    def test_every_name_of_openai_is_a_voice(self, espeak):
        assert len(espeak.aliases) >= 13
        found = {alias: espeak.find(alias).id for alias in espeak.aliases}
        assert len(set(found.values())) == len(found), "and each a different one"

    def test_everything_listed_can_be_found(self, espeak):
        for each in espeak.list():
            assert espeak.find(each.id) == each
        for each in espeak.list(language="en", variants=True):
            assert espeak.find(each.id) == each

    def test_every_language_can_be_asked_for(self, espeak):
        for tag in loaded("espeak").capabilities().languages:
            assert tag in espeak.find(tag).languages

    @pytest.mark.parametrize("language", ["English", "german", "French", "Swahili"])
    def test_a_languages_english_name_leads_to_it(self, espeak, language):
        with pytest.raises(VoiceNotFound, match="Near matches"):
            espeak.find(language)

    def test_english_has_several_voices(self, espeak):
        ids = [each.id for each in espeak.list(language="en")]
        assert {"en-us", "en-gb"} <= set(ids)
        assert len(ids) >= 5
