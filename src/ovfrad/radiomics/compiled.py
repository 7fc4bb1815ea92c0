"""The `njit` of all kernels: compiled on the first call, kept on disk where that is possible.

Only modules named `*_kernels` import this one, and they are imported by the function that runs them, so that
`import ovfrad.radiomics` neither loads numba nor compiles anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """Compile `function` without the GIL, cached beside its source or in the user's cache folder.

    Where neither folder can be written (a read-only installation), the kernel is compiled once a process. `options`
    are those of `numba.njit`, given in parentheses after the decorator.

    >>> @compiled
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    if function is None:
        return partial(compiled, **options)
    try:
        return njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # numba found no folder for its cache
        return njit(nogil=True, **options)(function)
