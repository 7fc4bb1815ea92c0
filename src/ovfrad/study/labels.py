"""Which label of a mask a row of the case table means; one that contradicts its vertebra is refused (METHODS B1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ovfrad.astlof import VERTEBRAE, label_of, vertebra_of
from ovfrad.errors import InputError
from ovfrad.study.table import as_number

#: Values of a mask that holds one structure and numbers nothing.
_BINARY = (1, 255)
_NAME = re.compile(r"(?:vertebrae?[\s_-]*)?(.+?)(?:[\s_-]*vertebrae?)?")

Faults = dict[int, str]
"""Row of the file -> why its label is refused."""


class _Row(NamedTuple):
    """What a row says of its masks; None where it says nothing."""

    number: int
    vertebra: str
    scheme: str | None
    mask_label: str | None
    mask_label_reader2: str | None
    two_files: bool


def vertebra_named(name: str | None) -> str | None:
    """The vertebra that a name means, None where it means none; masks and tables are read alike.

    >>> [vertebra_named(name) for name in ("vertebrae_L2", "l2 vertebra", "Th11", "corpus", "L20", None)]
    ['L2', 'L2', 'T11', None, None, None]
    """
    bare = bare_name(name or "").upper()
    return bare if bare in VERTEBRAE else None


def bare_name(name: str) -> str:
    """A name of a structure in small letters, without the word vertebra and with Th as T.

    >>> [bare_name(name) for name in ("vertebrae_S1", "Vertebra TH11", "thorax")]
    ['s1', 't11', 'thorax']
    """
    found = _NAME.fullmatch(" ".join(name.split()).casefold())
    return re.sub(r"^th(?=[0-9])", "t", found[1]) if found else ""


def with_labels(cases: pd.DataFrame, path: Path, faults: Faults | None = None) -> pd.DataFrame:
    """`mask_label` and `mask_label_reader2` as scheme and vertebra where a scheme is given and no label.

    With `faults` a label that is refused is told there, and the other rows can be used.
    """
    first, second = [], []
    for row in _rows(cases):
        try:
            labels = _labels(row, path)
        except InputError as error:
            if faults is None:
                raise
            faults[row.number] = str(error)
            labels = row.mask_label, row.mask_label_reader2
        first.append(labels[0])
        second.append(labels[1])
    columns = {"mask_label": first, "mask_label_reader2": second}
    return cases.assign(**{name: pd.Series(c, index=cases.index, dtype=object) for name, c in columns.items()})


def _rows(cases: pd.DataFrame) -> Iterator[_Row]:
    names = ("mask_scheme", "mask_label", "mask_label_reader2", "mask", "mask_reader2")
    levels = cases.index.get_level_values("vertebra")
    for number, vertebra, *cells in zip(cases["row"], levels, *(cases[name] for name in names), strict=True):
        scheme, label, second, mask, other = (None if pd.isna(cell) else cell for cell in cells)
        yield _Row(number, vertebra, scheme, label, second, other is not None and other != mask)


def _labels(row: _Row, path: Path) -> tuple[str | None, str | None]:
    """Labels of both readers; the scheme numbers the first one's mask, and the second one's where it may."""
    first = _told(row, path, "mask_label", "a mask with numbers of its own has no scheme")
    apart = "if only the second mask has numbers of its own, fill mask_label and leave mask_scheme empty"
    return first, _told(row, path, "mask_label_reader2", apart)


def _told(row: _Row, path: Path, name: str, own_numbers: str) -> str | None:
    label: Any = getattr(row, name)
    own = name == "mask_label_reader2" and row.two_files and _may_be_own(label, row.scheme)
    try:
        return _label(label, row.vertebra, row.scheme, own=own)
    except ValueError as error:
        remedy = f"correct vertebra, {name} or mask_scheme; {own_numbers}"
        raise InputError("E_CELL", f"{path.name}:{row.number}", str(error).rstrip("."), remedy) from None


def _may_be_own(label: str | None, scheme: str | None) -> bool:
    """Whether a number may be a mask's own: that of a binary mask, or one that is no vertebra in the scheme.

    >>> [_may_be_own(label, "verse") for label in ("1", "31", "21", "L2", None)]
    [True, True, False, False, False]
    """
    number = _number(label)
    return number is not None and (scheme is None or number in _BINARY or vertebra_of(number, scheme) is None)


def _number(label: str | None) -> int | None:
    """Number of a label, also as spreadsheets write it; None for a name.

    >>> [_number(label) for label in ("19", "19.0", "\u00b2", "L1", None)]
    [19, 19, None, None, None]
    """
    number = None if label is None else as_number(label)
    return None if number is None or number != int(number) else int(number)


def _label(label: str | None, vertebra: str, scheme: str | None, *, own: bool = False) -> str | None:
    """The label, or scheme and vertebra in its place; ValueError where it contradicts them.

    A label of the mask's `own` is not compared with the scheme.

    >>> _label(None, "T12", "verse"), _label("19.0", "T12", "verse"), _label("20", "T12", None)
    ('verse:T12', '19', '20')
    >>> _label("20", "T12", "verse")
    Traceback (most recent call last):
    ValueError: label 20 is L1 in scheme verse, and the case is T12, which is 19
    >>> _label("vertebrae_L2", "L1", None)
    Traceback (most recent call last):
    ValueError: label vertebrae_L2 names another vertebra than the case, which is L1
    """
    named = vertebra_named(str(label).rpartition(":")[2])
    if named is not None and vertebra in VERTEBRAE and named != vertebra:
        raise ValueError(f"label {label} names another vertebra than the case, which is {vertebra}")
    number = _number(label)
    plain = label if number is None else str(number)
    if scheme is None or own:
        return plain
    expected = label_of(vertebra, scheme)
    if plain is None:
        return f"{scheme}:{vertebra}"
    if number is not None and number != expected:
        there = vertebra_of(number, scheme) or "no vertebra"
        raise ValueError(
            f"label {plain} is {there} in scheme {scheme}, and the case is {vertebra}, which is {expected}"
        )
    return plain
