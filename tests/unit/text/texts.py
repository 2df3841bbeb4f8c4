"""Texts for the tests of the segmentation: made to hit its rules, and anything at all."""

from hypothesis import strategies as st

LANGUAGES = ["en", "de", "fr", "el", "hy", "am", "ja", "ru", "es", "cs", "unknown"]

_PARTS = """
    . . . ! ? … ... ?! ; : , " ' “ ” ‘ ’ « » ( ) [ ] [1] [12 { } * _ - – — • 1 5 12 1. 1) a) A. a b
    A B He he The I Dr Dr. Mr. No. no. p.m. a.m. etc. e.g. z. B. U.S. D. C. Inc. Fig. IV IV. Mai г.
    т. д. J. R. word Word wort. 3.14 a.b www.x.de EST 。 ！ ？ ． ３ 」 「 と と、 好 好 ، ؟ । ፡ ፡፡ ። ։ ሰ
    ¿ ¡ é É e\u0301 ა 👍 👍🏽 👨\u200d👩 🇩🇪 한 ᄒ ᅡ
    """.split()
_WHITE = ["\n", "\n\n", "\r\n", "\r", " ", "  ", "\t", "\xa0", "\u2028", "\u2029", "\x85", "\x0c"]
_UNSPEAKABLE = ["\0", "\x1b", "\ud800", "\udc00", "\ufeff", "\uffff", "\u202e"]

parts = st.sampled_from(_PARTS)
spaces = st.one_of(
    st.just(" "), st.just(" "), st.just(""), st.sampled_from(_WHITE + _UNSPEAKABLE + [" " * 70])
)
text_of_parts = st.lists(st.tuples(parts, spaces), max_size=30).map(
    lambda pairs: "".join(part + space for part, space in pairs)
)
unicode_text = st.text(st.characters(), max_size=60)  # lone surrogates, too

any_text = st.one_of(text_of_parts, text_of_parts, unicode_text)
