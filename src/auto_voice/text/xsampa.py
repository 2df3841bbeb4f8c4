"""X-SAMPA, phonetics in ASCII, into the International Phonetic Alphabet.

After J. C. Wells, "Computer-coding the IPA: a proposed extension of SAMPA" (1995).
"""

import re
from typing import Dict

_PAIRS = (
    # Lower-case letters mean themselves, but for these.
    "_j ʲ b_< ɓ d` ɖ d_< ɗ g ɡ g_< ɠ h\\ ɦ j\\ ʝ "
    "l` ɭ l\\ ɺ n` ɳ p\\ ɸ r` ɽ r\\ ɹ r\\` ɻ s` ʂ s\\ ɕ "
    "t` ʈ v\\ ʋ P ʋ x\\ ɧ z` ʐ z\\ ʑ "
    "A ɑ B β B\\ ʙ C ç D ð E ɛ F ɱ G ɣ G\\ ɢ G\\_< ʛ H ɥ H\\ ʜ I ɪ I\\ ᵻ J ɲ J\\ ɟ J\\_< ʄ K ɬ "
    "K\\ ɮ L ʎ L\\ ʟ M ɯ M\\ ɰ N ŋ N\\ ɴ O ɔ O\\ ʘ Q ɒ R ʁ R\\ ʀ S ʃ T θ U ʊ U\\ ᵿ V ʌ W ʍ X χ "
    "X\\ ħ Y ʏ Z ʒ "
    "1 ɨ 2 ø 3 ɜ 3` ɝ 3\\ ɞ 4 ɾ 5 ɫ 6 ɐ 7 ɤ 8 ɵ 9 œ & ɶ @ ə @` ɚ @\\ ɘ { æ } ʉ "
    "? ʔ ?\\ ʕ <\\ ʢ >\\ ʡ !\\ ǃ |\\ ǀ |\\|\\ ǁ =\\ ǂ -\\ ‿ "
    '" ˈ % ˌ : ː :\\ ˑ . . | | || ‖ ^ ꜛ ! ꜜ '
    "' ʲ = ̩ _= ̩ ~ ̃ _~ ̃ ` ˞ "
    '_" ̈ _+ ̟ _- ̠ _/ ̌ _0 ̥ _> ʼ _?\\ ˤ _\\ ̂ _^ ̯ _} ̚ _A ̘ _a ̺ _c ̜ _d ̪ _e ̴ _G ˠ _h ʰ '
    "_k ̰ _l ˡ _m ̻ _N ̼ _n ⁿ _O ̹ _o ̞ _q ̙ _r ̝ _t ̤ _v ̬ _w ʷ _X ̆ _x ̽ "
    "_B ̏ _F ̂ _H ́ _L ̀ _M ̄ _R ̌ _T ̋ "
    "<F> ↘ <R> ↗"
).split(" ")

_IPA: Dict[str, str] = dict(zip(_PAIRS[::2], _PAIRS[1::2]))
_IPA.update({letter: letter for letter in "abcdefhijklmnopqrstuvwxyz "})
_IPA["-"] = ""  # only keeps symbols apart
_IPA["_"] = "͡"  # before no diacritic: ties, as in t_S
_LONGEST_FIRST = sorted(_IPA, key=len, reverse=True)
_SYMBOL = re.compile("|".join(map(re.escape, _LONGEST_FIRST)) + "|(.)", re.DOTALL)


def to_ipa(text: str) -> str:
    """The same sounds in IPA.

    Raises:
        ValueError: a character is no X-SAMPA.
    """
    return _SYMBOL.sub(_symbol, text)


def _symbol(match: "re.Match[str]") -> str:
    unknown = match.group(1)
    if unknown:
        raise ValueError(f"has a character that is no X-SAMPA: {unknown!r}")
    return _IPA[match.group()]
