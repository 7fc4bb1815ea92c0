"""What the program says when an input is refused or accepted with a reservation: one line with a code.

>>> raise InputError("E_MASK_EMPTY", "mask.nii.gz", "label 20 has no voxel (labels: 19, 21)", "name one of these")
Traceback (most recent call last):
ovfrad.errors.InputError: E_MASK_EMPTY mask.nii.gz: label 20 has no voxel (labels: 19, 21); name one of these
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _name(where: str | Path) -> str:
    return where.name or str(where) if isinstance(where, Path) else where


def one_line(text: str) -> str:
    r"""The text in one line, what a terminal would act on spelled out: names of files are the user's.

    >>> print(one_line("mask \x1b[2J.nii\n is empty"))
    mask \x1b[2J.nii is empty
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(text.split()))


class InputError(Exception):
    """The user's input is refused: `code` `where`: `fault`; `remedy`.

    Parameters
    ----------
    code : str
        `E_` and a name in capitals, stable between versions.
    where : str or Path
        File (or `file:row`, `case P0007 L1`) at fault; a path is shown by its last part.
    fault : str
        What was found, with the numbers.
    remedy : str
        What is accepted, or what to do.
    """

    def __init__(self, code: str, where: str | Path, fault: str, remedy: str) -> None:
        self.code, self.where, self.fault, self.remedy = code, _name(where), fault, remedy
        super().__init__(code, where, fault, remedy)

    def __str__(self) -> str:
        return one_line(f"{self.code} {self.where}: {self.fault}; {self.remedy}")


class InputWarning(UserWarning):
    """The input is accepted, but the user should know: `W_CODE file: fault; consequence`."""


def warn(code: str, where: str | Path, fault: str, consequence: str) -> None:
    """Issue an `InputWarning` in one line; the command line prints it on stderr and the run folder keeps it."""
    warnings.warn(one_line(f"{code} {_name(where)}: {fault}; {consequence}"), InputWarning, stacklevel=3)


@contextmanager
def heard() -> Iterator[list[str]]:
    """Collect the `InputWarning`s of a block, each once, and let them and all others go on when it has ended.

    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     with heard() as told:
    ...         warn("W_THICK_SLICES", "ct.nii.gz", "slices are 5.0 mm thick", "texture is blurred")
    >>> told
    ['W_THICK_SLICES ct.nii.gz: slices are 5.0 mm thick; texture is blurred']
    """
    told: list[str] = []
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield told
    finally:
        for warning in caught:
            line = str(warning.message)
            if not issubclass(warning.category, InputWarning):
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
            elif line not in told:
                told.append(line)
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
