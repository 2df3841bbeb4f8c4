"""Where sentences end, and that nothing of a text is lost."""

import sys
from typing import List

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auto_voice.text.sentences import segments

CASES = [
    ("en", "Hello, world.", ["Hello, world."]),
    ("en", "One. Two! Three?", ["One.", "Two!", "Three?"]),
    ("en", "No full stop", ["No full stop"]),
    ("en", "Dr. Smith met Mrs. Jones.", ["Dr. Smith met Mrs. Jones."]),
    ("en", "He left at 3.30 p.m. She stayed.", ["He left at 3.30 p.m.", "She stayed."]),
    ("en", "J. R. R. Tolkien wrote it. I read it.", ["J. R. R. Tolkien wrote it.", "I read it."]),
    ("en", "It was I. He left.", ["It was I.", "He left."]),
    ("en", "It costs $3.50 now.", ["It costs $3.50 now."]),
    ("en", "Version 2.0.1 is out. Get it.", ["Version 2.0.1 is out.", "Get it."]),
    ("en", "See www.example.com for more.", ["See www.example.com for more."]),
    ("en", "Write to a.b@example.org. Thanks.", ["Write to a.b@example.org.", "Thanks."]),
    ("en", "Open main.py and run it.", ["Open main.py and run it."]),
    ("en", "Fruit, e.g. apples, is good.", ["Fruit, e.g. apples, is good."]),
    ("en", "Apples, pears, etc. We ate.", ["Apples, pears, etc.", "We ate."]),
    ("en", "Apples, etc. are fruit.", ["Apples, etc. are fruit."]),
    ("en", "Acme Inc. sells. They do.", ["Acme Inc. sells.", "They do."]),
    ("en", "On Jan. 5th it snowed.", ["On Jan. 5th it snowed."]),
    ("en", '"Really?" she asked. Yes.', ['"Really?" she asked.', "Yes."]),
    ("en", "“Stop!” he said.", ["“Stop!” he said."]),
    ("en", 'He said "Go." Then he went.', ['He said "Go."', "Then he went."]),
    ("en", "(He left.) She stayed.", ["(He left.)", "She stayed."]),
    ("en", "Well... maybe. Yes.", ["Well... maybe.", "Yes."]),
    ("en", "Wait… Now go.", ["Wait…", "Now go."]),
    ("en", "What?! No way!!", ["What?!", "No way!!"]),
    ("en", "all in lower case. still two.", ["all in lower case.", "still two."]),
    ("en", "1. First\n2. Second", ["1. First", "2. Second"]),
    ("en", "List:\n- one\n- two", ["List:", "- one", "- two"]),
    ("en", "List:\n+ one\n+ two", ["List:", "+ one", "+ two"]),
    ("en", "# Title\nA line.\n## Next\nMore.", ["# Title", "A line.", "## Next", "More."]),
    ("en", "Title\n=====\nMore", ["Title", "===== More"]),
    ("en", "```sh\nls\n```\nThen on.", ["```sh", "ls", "```", "Then on."]),
    ("en", "| a | b |\n|---|---|\n| c | d |\nOn.", ["| a | b |", "|---|---|", "| c | d |", "On."]),
    ("en", "A #tag\n#tag goes on.", ["A #tag #tag goes on."]),
    ("en", "A line\nthat goes on.", ["A line that goes on."]),
    ("en", "A title\n\nA text.", ["A title", "A text."]),
    ("en", "A title\r\n\r\nA text.", ["A title", "A text."]),
    ("en", "In 1999. Then 2000.", ["In 1999.", "Then 2000."]),
    ("en", "No. 5 is alive.", ["No. 5 is alive."]),
    ("en", "Oh no. 5 of them?", ["Oh no. 5 of them?"]),
    ("en", "Oh no. He fell in. Help.", ["Oh no.", "He fell in.", "Help."]),
    ("en", "Smith et al. found it.", ["Smith et al. found it."]),
    ("de", "Am 5. Mai kam er. Gut.", ["Am 5. Mai kam er.", "Gut."]),
    ("de", "Das ist z. B. Dr. Müller.", ["Das ist z. B. Dr. Müller."]),
    ("de", "Hunde usw. Danach ging er.", ["Hunde usw.", "Danach ging er."]),
    ("de", "Er kam 2019. Sie ging.", ["Er kam 2019.", "Sie ging."]),
    ("de", "„Halt!“ rief er. Na gut.", ["„Halt!“ rief er.", "Na gut."]),
    ("fr", "M. Dupont est là. Bien.", ["M. Dupont est là.", "Bien."]),
    ("fr", "Où vas-tu ? Ici !", ["Où vas-tu ?", "Ici !"]),
    ("es", "El Sr. García vino. ¿Quién?", ["El Sr. García vino.", "¿Quién?"]),
    ("es", "¡Hola! ¿Qué tal?", ["¡Hola!", "¿Qué tal?"]),
    ("it", "Il sig. Rossi parla. Bene.", ["Il sig. Rossi parla.", "Bene."]),
    ("pt", "O Sr. Silva chegou. Sim.", ["O Sr. Silva chegou.", "Sim."]),
    ("nl", "Dhr. Jansen komt bijv. morgen.", ["Dhr. Jansen komt bijv. morgen."]),
    ("pl", "To jest np. kot. Tak.", ["To jest np. kot.", "Tak."]),
    ("pl", "Dnia 3. Maja było święto.", ["Dnia 3. Maja było święto."]),
    ("ru", "Это т.е. пример. Да.", ["Это т.е. пример.", "Да."]),
    ("sv", "Det är t.ex. en katt. Ja.", ["Det är t.ex. en katt.", "Ja."]),
    ("cs", "To je např. kočka. Ano.", ["To je např. kočka.", "Ano."]),
    ("fi", "Tule 3. Toukokuuta.", ["Tule 3. Toukokuuta."]),
    ("el", "Τι κάνεις; Καλά.", ["Τι κάνεις;", "Καλά."]),
    ("zh", "你好。世界！再见？", ["你好。", "世界！", "再见？"]),
    ("zh", "他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
    ("ja", "はい。いいえ。", ["はい。", "いいえ。"]),
    ("hi", "नमस्ते। कैसे हो।", ["नमस्ते।", "कैसे हो।"]),
    ("ar", "كيف حالك؟ بخير.", ["كيف حالك؟", "بخير."]),
    ("ur", "یہ ہے۔ وہ ہے۔", ["یہ ہے۔", "وہ ہے۔"]),
    ("hy", "Բարեւ։ Ինչպես ես։", ["Բարեւ։", "Ինչպես ես։"]),
    ("am", "ሰላም። እንዴት ነህ።", ["ሰላም።", "እንዴት ነህ።"]),
    ("my", "မင်္ဂလာပါ။ နေကောင်းလား။", ["မင်္ဂလာပါ။", "နေကောင်းလား။"]),
    ("en-gb", "Dr. Who is in. Hide.", ["Dr. Who is in.", "Hide."]),
    ("xx", "One. Two.", ["One.", "Two."]),
]


def cut(text: str, language: str = "en", max_chars: int = 400) -> List[str]:
    return [segment.text for segment in segments(text, language, max_chars)]


@pytest.mark.parametrize("language, text, sentences", CASES)
def test_sentences_end_where_a_reader_would_pause(language, text, sentences):
    assert cut(text, language) == sentences


HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list("ab. \n!?\"”'(1-,;。\x00\u0301\u200d…iA\u2028")),
        st.characters(blacklist_categories=()),
    ),
    max_size=80,
)


@given(HOSTILE, st.sampled_from(["en", "de", "el", "zh", ""]), st.sampled_from([1, 2, 7, 30, 400]))
@example("\ud800", "en", 400)
@example("...", "en", 2)
def test_every_speakable_character_is_in_exactly_one_segment_within_the_limit(
    text, language, max_chars
):
    position = 0
    covered = [False] * len(text)
    for segment in segments(text, language, max_chars):
        assert segment.start >= position
        assert segment.end - segment.start == len(segment.text) <= max(2, max_chars)
        assert segment.text == segment.text.strip() != ""
        for index in range(segment.start, segment.end):
            said, written = segment.text[index - segment.start], text[index]
            assert said == written or (said == " " and not written.isprintable())
            covered[index] = True
        position = segment.end
    for index, char in enumerate(text):
        assert covered[index] or char.isspace() or not char.isprintable()


@given(HOSTILE)
def test_a_segment_can_be_sent_as_utf_8_and_has_no_control_character(text):
    for segment in segments(text):
        segment.text.encode()
        assert not any(ord(char) < 32 or char in "\x7f\u2028\u2029" for char in segment.text)


def test_a_text_without_anything_speakable_has_no_segment():
    assert cut("") == cut(" \n\t ") == cut("\x00\x01\ud800") == []


def test_a_paragraph_ends_at_a_blank_line_and_at_the_end():
    ends = [segment.paragraph_end for segment in segments("One. Two.\n\nThree. Four")]
    assert ends == [False, True, False, True]


def test_a_long_sentence_is_cut_at_a_clause_before_a_word_before_a_letter():
    assert cut("aaa bbb, ccc ddd", max_chars=12) == ["aaa bbb,", "ccc ddd"]
    assert cut("aaa bbb ccc ddd", max_chars=12) == ["aaa bbb ccc", "ddd"]
    assert cut("a" * 30, max_chars=12) == ["a" * 12, "a" * 12, "a" * 6]


@pytest.mark.parametrize(
    "together", ["e\u0301", "👩\u200d🚀", "👍\U0001f3fd", "❤\ufe0f"], ids=ascii
)
def test_a_hard_cut_does_not_split_what_is_seen_as_one_character(together):
    first, second = cut("a" * (12 - len(together) + 1) + together + "b" * 5, max_chars=12)
    assert (first + second).count(together) == 1
    assert together in second


@pytest.mark.parametrize(
    "unit", ["a.", ".", '"("', "\n", "e\u0301", "word ", ". ", "?\n\n", "1.", "- ", "A. b ", "。"]
)
def test_work_grows_linearly_with_hostile_text(unit):
    def lines_run(repetitions: int) -> int:
        count = 0

        def trace(frame, event, arg):
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            for _ in segments(unit * repetitions):
                pass
        finally:
            sys.settrace(before)
        return count

    assert lines_run(8000) < 6 * lines_run(2000) + 200


def test_the_first_sentence_of_an_endless_text_needs_no_look_at_the_rest():
    class Guarded(str):
        """Would notice if all of it were copied."""

        def __iter__(self):
            raise AssertionError("the whole text was walked through")

    first = next(segments(Guarded("Hello there. " + "x" * 5_000_000)))
    assert first.text == "Hello there."
