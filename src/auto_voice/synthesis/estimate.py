"""How long a text takes to be said, before it is."""

LETTER_S = 0.062
"""Seconds a letter or a digit takes in words."""
CLAUSE_S = 0.36
SENTENCE_S = 0.1
"""Seconds of pause. All three are fitted to espeak-ng's English, French and German."""

_CLAUSE_ENDS = frozenset(",;:—–，；：、")


def estimated_s(said: str) -> float:
    """Seconds that a sentence sounds at a voice's own pace, within about a fifth."""
    letters = sum(map(str.isalnum, said))
    clauses = sum(char in _CLAUSE_ENDS for char in said)
    return letters * LETTER_S + clauses * CLAUSE_S + SENTENCE_S if letters else 0.0
