"""The `njit` of all kernels of the package: compiled on the first call, kept on disk where that is possible.

Only modules named `*_kernels` import this one, and they are imported by the function that runs them, so that
`import ovfrad.radiomics` neither loads numba nor compiles anything. It stands here because every other part may
import `evaluation`, which imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """Compile `function` without the GIL, cached beside its source or in the user's cache folder.

    Where neither folder can be written (a read-only installation), the kernel is compiled once a process; where what
    was kept cannot be read (a full disk, a power cut), it is compiled again. `options`
    are those of `numba.njit`, given in parentheses after the decorator.

    >>> @compiled
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    if function is None:
        return partial(compiled, **options)
    kernel = njit(nogil=True, **options)(function)
    with suppress(RuntimeError):  # numba found no folder for its cache
        kernel._cache = _Cache(function)
    return kernel


class _Cache(FunctionCache):
    """numba's cache on disk, which may be damaged or full without harm: the kernel is compiled then.

    numba itself raises at every start, until the files are deleted by hand.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever a pickle that breaks off can raise
            with suppress(OSError):
                self.flush()  # an empty index: what is compiled now is kept again
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):  # no space, or no longer writable
            super().save_overload(sig, data)
