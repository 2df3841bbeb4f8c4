"""From a request to lines: lexicons, normalisation and markup work on one text."""

import pytest

from auto_voice.engines.engine import describe
from auto_voice.settings import load
from auto_voice.synthesis.planning import Planner
from auto_voice.synthesis.speech import SpeechRequest
from auto_voice.text.lexicon import Lexicon
from auto_voice.text.lexicon_entry import Entry
from auto_voice.text.lexicon_store import LexiconStore
from auto_voice.text.plan import Line
from auto_voice.voices.catalogue import Catalogue
from tests.unit.engines.speaking import loaded

ENTRIES = [
    Entry("nginx", "engine x"),
    Entry("Anna", "Anna", "ˈɑːnə"),
    Entry("C++", "see plus plus"),
    Entry("kg", "kilos"),
    Entry("😀", "smile"),
    Entry("ski_lift", "chair lift"),
]
SPELLED = '<say-as interpret-as="characters">AB</say-as>'
DIGITS = '<say-as interpret-as="digits">12</say-as>'


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue([describe(loaded("espeak"))], load({}).aliases)


@pytest.fixture
def planned(catalogue, tmp_path):
    store = LexiconStore(tmp_path)
    store.put("words", Lexicon(ENTRIES))

    def planned(text, **options):
        options = {"voice": "en-us", "lexicons": ("words",), **options}
        plan = Planner(store, "").plan(SpeechRequest(text, **options), catalogue)
        return [step for step in plan.steps() if isinstance(step, Line)]

    return planned


def said(lines):
    return " ".join(line.said.text for line in lines)


@pytest.mark.parametrize(
    "written, expected",
    [
        ("**nginx** serves", "engine x serves"),
        ("See [nginx](https://nginx.org) here", "See engine x here"),
        ("`nginx` and _Anna_", "engine x and Anna"),
        ("| nginx | 5 |", " engine x, five "),
        ("by ski_lift now", "by chair lift now"),
    ],
)
def test_a_lexicons_words_are_found_in_marked_up_ones(planned, written, expected):
    assert said(planned(written)) == expected


def test_without_normalisation_a_lexicon_alone_changes_what_is_said(planned):
    assert said(planned("**nginx** 5", normalize=False)) == "**engine x** 5"


@pytest.mark.parametrize(
    "written, expected",
    [
        ("C++17", "see plus plus seventeen"),
        ("nginx👍", "engine x thumbs up"),
        ("nginx@2", "engine x at two"),
        ("10 kg", "ten kilos"),
        ("😀😀 nginx😀now", "smile smile engine x smile now"),
        ("a😀b", "a smile b"),
        ("Anna's", "Anna's"),
        ("(C++)", "(see plus plus)"),
    ],
)
def test_a_lexicons_words_do_not_run_into_others(planned, written, expected):
    assert said(planned(written)) == expected


def test_in_a_script_without_spaces_a_lexicons_words_stand_as_close(planned, catalogue, tmp_path):
    store = LexiconStore(tmp_path)
    store.put("words", Lexicon([Entry("世界", "天下")]))
    request = SpeechRequest("你好世界人", "cmn", lexicons=("words",))
    (line,) = Planner(store, "").plan(request, catalogue).steps()
    assert line.said.text == "你好天下人"


@pytest.mark.parametrize(
    "written, expected",
    [
        ('10<sub alias="kilograms">kg</sub>', "ten kilograms"),
        ('<sub alias="dollar">USD</sub>5', "dollar five"),
        (f"flight{DIGITS}b", "flight one two b"),
        (f"{SPELLED}{DIGITS}", "a, B one two"),
        ('x<say-as interpret-as="foo">ab</say-as>y', "xaby"),
        ('<sub alias="Mac">Mc</sub>Donald', "MacDonald"),
        ('(<say-as interpret-as="digits">1</say-as>)', "(one)"),
    ],
)
def test_what_markup_has_read_does_not_run_into_other_words(planned, written, expected):
    assert said(planned(f"<speak>{written}</speak>", ssml=True)) == expected
