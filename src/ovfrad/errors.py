"""What the program says when an input is refused or accepted with a reservation: one line with a code.

>>> raise InputError("E_MASK_EMPTY", "mask.nii.gz", "label 20 has no voxel (labels: 19, 21)", "name one of these")
Traceback (most recent call last):
ovfrad.errors.InputError: E_MASK_EMPTY mask.nii.gz: label 20 has no voxel (labels: 19, 21); name one of these
"""

from __future__ import annotations

import warnings
from pathlib import Path


def _name(where: str | Path) -> str:
    return where.name or str(where) if isinstance(where, Path) else where


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
        return " ".join(f"{self.code} {self.where}: {self.fault}; {self.remedy}".split())


class InputWarning(UserWarning):
    """The input is accepted, but the user should know: `W_CODE file: fault; consequence`."""


def warn(code: str, where: str | Path, fault: str, consequence: str) -> None:
    """Issue an `InputWarning` in one line; the command line prints it on stderr and the run folder keeps it."""
    line = " ".join(f"{code} {_name(where)}: {fault}; {consequence}".split())
    warnings.warn(line, InputWarning, stacklevel=3)
