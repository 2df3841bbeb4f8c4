"""A text becomes lines in the order of speech, whatever its markup puts in between."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.plan import Line, plan_items, plan_text
from auto_voice.text.script import Boundary, Break, Clip, Mark, Style, Words
from auto_voice.text.sentences import segments

LOUD = Style(volume_db=6.0)
FRENCH = Style(language="fr")


class Script:
    """Items over one text, as a parser makes them."""

    def __init__(self):
        self.text = ""
        self.items = []

    def say(self, text, style=Style()):
        piece = Piece(text, len(self.text), len(self.text) + len(text))
        self.items.append(Words((piece,), style))
        self.text += text
        return self

    def sub(self, text, alias, ipa=None):
        start = len(self.text)
        self.items.append(Words((Piece(alias, start, start + len(text), True, ipa),)))
        self.text += text
        return self

    def then(self, item):
        self.items.append(item)
        return self

    def plan(self, language="en", rules=()):
        return list(plan_items(self.items, language, rules))

    def shown(self, **options):
        """Lines as their text, everything else as it is."""
        return [step.said.text if isinstance(step, Line) else step for step in self.plan(**options)]


def shout(said, language):
    """A rule: what is English is said in capitals."""
    if language != "en":
        return said
    return Aligned(piece._replace(text=piece.text.upper()) for piece in said.pieces)


class TestPlainText:
    def test_a_line_is_a_sentence(self):
        lines = list(plan_text("One. Two?\n\nThree", "en", ()))
        assert [(line.said.text, line.start, line.end) for line in lines] == [
            ("One.", 0, 4),
            ("Two?", 5, 9),
            ("Three", 11, 16),
        ]
        assert [line.paragraph_end for line in lines] == [False, True, True]

    def test_rules_are_applied_in_their_order(self):
        def ask(said, language):
            return Aligned([*said.pieces, Piece("?", said.pieces[-1].end, said.pieces[-1].end)])

        (line,) = plan_text("One", "en", (ask, shout))
        assert line.said.text == "ONE?"

    def test_it_is_lazy(self):
        """A book's first line costs no more than a line."""
        asked = []

        def note(said, language):
            asked.append(said.text)
            return said

        next(plan_text("One. " * 10_000, "en", (note,)))
        assert asked == ["One."]


class TestMarkup:
    def test_words_alone_are_planned_as_a_plain_text_is(self):
        text = "Dr. Who is here. Is he?\n\nYes."
        marked = Script().say(text).plan()
        assert [line.said.text for line in marked] == [
            line.said.text for line in plan_text(text, "en", ())
        ]

    def test_a_sentence_is_cut_where_its_style_changes(self):
        lines = Script().say("This is ").say("loud", LOUD).say(" here. And on.").plan()
        assert [line.said.text for line in lines] == ["This is ", "loud", " here.", "And on."]
        assert [line.style for line in lines] == [Style(), LOUD, Style(), Style()]
        assert [line.sentence_end for line in lines] == [False, False, True, True]

    def test_a_mark_goes_with_the_word_that_it_belongs_to(self):
        """Alone it would be silent, and the word no question."""
        lines = Script().say("Is it ").say("you", LOUD).say("? (").say("Yes", LOUD).say(").").plan()
        assert [line.said.text for line in lines] == ["Is it ", "you?", "(Yes)."]
        assert [line.style for line in lines] == [Style(), LOUD, LOUD]

    def test_a_sentence_ends_before_an_alias(self):
        assert Script().say("One. ").sub("W3C", "World. Wide").shown() == ["One.", "World. Wide"]

    def test_what_lies_between_words_stays_between_them(self):
        pause, mark, clip = Break(1.0, 0), Mark("m", 0), Clip("a.wav", 0, 0)
        script = Script().then(mark).say("One ").then(pause).say("two. ").then(clip).say("Three.")
        assert script.shown() == [mark, "One ", pause, "two.", clip, "Three."]

    def test_what_comes_after_the_last_word_comes_last(self):
        pause, mark = Break(1.0, 0), Mark("end", 0)
        assert Script().say("One.").then(pause).then(mark).shown() == ["One.", pause, mark]
        assert Script().then(pause).shown() == [pause]
        assert Script().then(pause).then(Boundary(True, 0)).then(mark).shown() == [pause, mark]

    def test_no_sentence_crosses_a_boundary(self):
        script = (
            Script().say("One two").then(Boundary(False, 0)).say("three").then(Boundary(True, 0))
        )
        lines = script.say("four").plan()
        assert [line.said.text for line in lines] == ["One two", "three", "four"]
        assert [line.paragraph_end for line in lines] == [False, True, True]

    def test_a_full_stop_in_an_alias_ends_no_sentence(self):
        script = Script().say("Ask ").sub("W3C", "the W. 3. C. Then").say(" again.")
        assert script.shown() == ["Ask the W. 3. C. Then again."]

    def test_a_pronunciation_survives(self):
        (line,) = Script().say("A ").sub("tomato", "tomato", "təˈmɑːtəʊ").say(".").plan()
        assert [piece.ipa for piece in line.said.pieces] == [None, "təˈmɑːtəʊ", None]

    def test_rules_know_the_language_of_a_style(self):
        script = Script().say("hello ").say("bonjour", FRENCH)
        assert script.shown(rules=(shout,)) == ["HELLO ", "bonjour"]

    def test_no_line_is_blank(self):
        script = Script().say("One. ").say("  ", LOUD).then(Break(1, 0)).say("\n").say("Two.")
        assert script.shown() == ["One.", Break(1, 0), "Two."]

    @given(
        parts=st.lists(
            st.one_of(
                st.tuples(st.text(alphabet="ab .?\n", max_size=12), st.booleans()),
                st.sampled_from([Break(0.5, 0), Mark("m", 0), Boundary(False, 0)]),
            ),
            max_size=12,
        )
    )
    def test_everything_comes_once_and_in_order(self, parts):
        script = Script()
        for part in parts:
            if isinstance(part, tuple) and not isinstance(part, (Break, Mark, Boundary)):
                script.say(part[0], LOUD if part[1] else Style())
            else:
                script.then(part)
        steps = script.plan()
        others = [item for item in script.items if isinstance(item, (Break, Mark))]
        assert [step for step in steps if not isinstance(step, Line)] == others
        lines = [step for step in steps if isinstance(step, Line)]
        said = "".join(line.said.text for line in lines)
        assert "".join(said.split()) == "".join(script.text.split())
        for line in lines:
            assert script.text[line.start : line.end].replace("\n", " ") == line.said.text

    @given(text=st.text(alphabet="ab .?!\n", max_size=60))
    def test_cutting_into_words_of_one_style_changes_nothing(self, text):
        script = Script()
        for char in text:
            script.say(char)
        assert [step.said.text for step in script.plan() if isinstance(step, Line)] == [
            sentence.text for sentence in segments(text, "en") if sentence.text.strip()
        ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "begin",
    [
        lambda script: script.say("a").then(Break(0.1, 0)),
        lambda script: script.say("a ").say("b. ", LOUD),
        lambda script: script.say("a. ").then(Mark("m", 0)),
        lambda script: script.sub("1", " one"),
    ],
    ids=["breaks", "styles", "marks", "pieces"],
)
def test_hostile_scripts_take_linear_time(begin):
    """Four times as much takes about four times as long; in quadratic time, it would be sixteen."""

    def seconds(size):
        script = Script()
        for _ in range(size):
            begin(script)
        times = []
        for _ in range(3):
            started = time.process_time()
            script.plan()
            times.append(time.process_time() - started)
        return min(times)

    assert seconds(12_000) < 9 * seconds(3_000)
