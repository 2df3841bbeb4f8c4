"""SSML, the markup of speech, into the items of `auto_voice.text.script`.

    reader.py     XML, safely and with the place of every character
    parsing.py    the open elements, and what is in effect within them
    elements.py   what each element does
    items.py      what was found, in the order of speech
    values.py     attributes' values: times, languages, voices
    prosody.py    … and pace, pitch and volume
    shown.py      its text without markup, for captions

docs/ssml.md tells the same to those who write SSML.
"""

from auto_voice.text.ssml.parsing import parse
from auto_voice.text.ssml.shown import shown

__all__ = ["parse", "shown"]
