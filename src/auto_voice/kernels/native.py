"""libautovoice through ctypes: where it is, whether it fits, and its functions.

`AUTOVOICE_NATIVE_LIB` names the file; otherwise it is looked for where `make native` puts
it. There is no library in AutoVoice's wheel, and nothing that needs one.
"""

import ctypes
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Tuple

from auto_voice.errors import MissingDependency
from auto_voice.kernels.reference import Unusable
from auto_voice.settings import PREFIX

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

ABI = 1
"""AUTOVOICE_ABI of native/include/autovoice.h, which the functions below are written for."""

SETTING = PREFIX + "NATIVE_LIB"
_SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
BUILT = Path(__file__).parent / "lib" / f"libautovoice{_SUFFIX}"
"""Where `make native` puts it."""

_BAD_VALUE, _NO_MEMORY, _NO_CUDA = 3, 4, 5
_SIZE = ctypes.c_int64
_ARRAY = ctypes.c_void_p
_STRIDES = _SIZE * 3
_ROW = ctypes.POINTER(_SIZE)
# Values and their shape, strides where any will do, lengths, tokens, threads, the row at fault.
_ON_CPU = (
    *(_ARRAY, _SIZE, _SIZE, _SIZE, _STRIDES),
    *(_ARRAY, _ARRAY, _ARRAY, ctypes.c_int32, _ROW),
)
_ON_CUDA = (_ARRAY, _SIZE, _SIZE, _SIZE, _ARRAY, _ARRAY, _ARRAY, _ROW)


def library() -> "Optional[Library]":
    """The library of this machine, loaded once; None where there is none.

    Raises:
        MissingDependency: there is one, or should be, and it cannot be used.
    """
    named = os.environ.get(SETTING, "")
    if not named and not BUILT.is_file():
        return None
    return _load(Path(named or BUILT))


def missing() -> MissingDependency:
    """What to tell whoever cannot do without the library."""
    return MissingDependency(
        f"libautovoice is not built: run `make native`, or let {SETTING} name its file."
    )


@lru_cache(maxsize=None)
def _load(path: Path) -> "Library":
    return Library(path)


class Library:
    """A loaded libautovoice. ctypes lets go of the interpreter's lock during each call."""

    def __init__(self, path: Path) -> None:
        """Raises MissingDependency: it cannot be loaded, or is of another release."""
        self.path = path
        try:
            # As it is written: the loader of shared libraries would search for a bare name.
            self._functions = ctypes.CDLL(str(path.absolute()))
            abi = int(self._functions.autovoice_abi())
        except (OSError, AttributeError) as error:
            raise MissingDependency(f"libautovoice cannot be loaded: {error}") from None
        if abi != ABI:
            raise MissingDependency(
                f"{path} speaks ABI {abi}, and AutoVoice {ABI}: build it anew (`make native`)."
            )
        self._functions.autovoice_maximum_path.argtypes = _ON_CPU
        self._functions.autovoice_maximum_path_cuda.argtypes = _ON_CUDA

    def cuda_devices(self) -> Optional[int]:
        """GPUs that it can use; None if it was built without CUDA."""
        devices = int(self._functions.autovoice_cuda_devices())
        return None if devices < 0 else devices

    def maximum_path(
        self,
        values: "NDArray[numpy.float32]",
        text_lengths: "NDArray[numpy.int32]",
        mel_lengths: "NDArray[numpy.int32]",
        threads: int,
    ) -> "NDArray[numpy.int32]":
        """As `reference.maximum_path`, rows shared out to at most so many threads."""
        import numpy as np

        if not values.flags.aligned or any(stride % values.itemsize for stride in values.strides):
            values = np.array(values)
        strides = _STRIDES(*(stride // values.itemsize for stride in values.strides))
        function = self._functions.autovoice_maximum_path
        return self._call(function, values, (text_lengths, mel_lengths), (strides,), (threads,))

    def maximum_path_cuda(
        self,
        values: "NDArray[numpy.float32]",
        text_lengths: "NDArray[numpy.int32]",
        mel_lengths: "NDArray[numpy.int32]",
    ) -> "NDArray[numpy.int32]":
        """As `reference.maximum_path`, on the current CUDA device, there and back.

        Raises:
            MissingDependency: no CUDA in the library, or no driver or device here.
        """
        import numpy as np

        function = self._functions.autovoice_maximum_path_cuda
        return self._call(function, np.ascontiguousarray(values), (text_lengths, mel_lengths))

    def _call(
        self,
        function: Any,
        values: "NDArray[numpy.float32]",
        lengths: "Tuple[NDArray[numpy.int32], ...]",
        strides: Tuple[Any, ...] = (),
        threads: Tuple[int, ...] = (),
    ) -> "NDArray[numpy.int32]":
        import numpy as np

        batch, text, mel = values.shape
        tokens = np.empty((batch, mel), dtype=np.int32)
        lengths = tuple(map(np.ascontiguousarray, lengths))
        row = _SIZE(-1)
        status = function(
            values.ctypes.data,
            *values.shape,
            *strides,
            *(array.ctypes.data for array in lengths),
            tokens.ctypes.data,
            *threads,
            ctypes.byref(row),
        )
        if status == _BAD_VALUE:
            raise Unusable(row.value)
        if status == _NO_MEMORY:
            raise MemoryError(f"no memory to align {batch} rows of {text} tokens, {mel} frames")
        if status == _NO_CUDA:
            raise MissingDependency(f"{self.path} finds no CUDA device to use.")
        if status:
            raise RuntimeError(f"libautovoice answers with status {status}")
        return tokens
