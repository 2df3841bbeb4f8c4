"""Makes espeak-ng forget what it spoke before.

espeak-ng keeps four counters between utterances: where it is in its table of
pitch flutter (twice: once for Klatt voices), a count of pitch cycles for the
voice's roughness, and the automatic gain. They make the same sentence come out
differently each time, and no function of the library resets them. They are
static variables, so this module looks their addresses up in the library's own
symbol table and writes their first values back before each utterance.

Where the symbols are not found (a stripped or non-ELF library) speech sounds
just the same, but repeated requests differ in single samples; the engine then
reports ``reproducible=False``.
"""

import ctypes
import logging
from typing import Dict

log = logging.getLogger(__name__)

_INITIAL = {
    "Flutter_ix": 0,
    "cycle_count": 0,
    "agc": 256,
    "time_count": 0,
}
"""C names (static int each) and their values in a library that has not spoken."""


class HiddenState:
    """The counters of one loaded espeak-ng library."""

    def __init__(self, library: ctypes.CDLL, path: str) -> None:
        self._library = library
        try:
            addresses = _addresses(library, path)
            self._counters = [
                (ctypes.c_int.from_address(addresses[name]), value)
                for name, value in _INITIAL.items()
            ]
            # A surprise here means that these are not the variables we know.
            self.known = all(counter.value == value for counter, value in self._counters)
        except Exception as error:  # whatever is odd about this library, it can speak
            log.debug("espeak-ng's symbols cannot be read: %s", error)
            self.known = False
        if not self.known:
            self._counters = []
            log.warning("espeak-ng's state cannot be reset: repeated speech will not be identical")

    def reset(self) -> None:
        """Return to the state of a library that has not spoken yet."""
        self._library.espeak_ng_SetRandSeed(1)
        for counter, value in self._counters:
            counter.value = value


def _addresses(library: ctypes.CDLL, path: str) -> Dict[str, int]:
    """Where in this process the static variables are.

    Raises:
        Exception: the file is no ELF library or lacks a symbol.
    """
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection

    with open(path, "rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise LookupError("the library is stripped")
        offsets: Dict[str, int] = {}
        exported = 0
        for symbol in table.iter_symbols():
            # GCC numbers function-local statics: Flutter_ix.5965
            name = symbol.name.partition(".")[0]
            if name in _INITIAL and symbol["st_info"]["type"] == "STT_OBJECT":
                if symbol["st_size"] != ctypes.sizeof(ctypes.c_int) or name in offsets:
                    raise LookupError(f"{name} is not the one variable we know")
                offsets[name] = symbol["st_value"]
            elif symbol.name == "espeak_Synth":
                exported = symbol["st_value"]
    here = ctypes.cast(library.espeak_Synth, ctypes.c_void_p).value or 0
    return {name: here - exported + offsets[name] for name in _INITIAL}
