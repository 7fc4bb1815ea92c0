"""Which structure of a mask is meant: by number, by the file's own name, or by vertebra under a stated scheme."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ovfrad.astlof import SCHEMES, VERTEBRAE, label_of
from ovfrad.errors import InputError
from ovfrad.imaging.masks.segments import Labels, Segment

MOST_SHOWN = 60
"""Structures that a message lists; label maps of whole bodies have 117."""


def listed(segments: Sequence[Segment]) -> str:
    """Numbers, or numbers with names, as a message shows them."""
    words = [f"{s.number} {s.name!r}" if s.name else str(s.number) for s in segments[:MOST_SHOWN]]
    return ", ".join(words) + (f" and {len(segments) - MOST_SHOWN} more" if len(segments) > MOST_SHOWN else "")


def choose(labels: Labels, label: int | str | None, vertebra: str | None = None, scheme: str | None = None) -> Segment:
    """The structure that is asked for.

    Parameters
    ----------
    labels : Labels
        Opened mask.
    label : int or str, optional
        Its number, its name in the file, or scheme and vertebra as one word, `verse:L1`.
    vertebra, scheme : str, optional
        Vertebra (T12, L1) and label scheme (`ovfrad.astlof.SCHEMES`) instead. Names of the file go before numbers of
        a scheme. A vertebra without a scheme is looked for among the names of the file; where it has none, it names
        the case and not the label.

    Raises
    ------
    InputError
        `E_MASK_EMPTY`, `E_MASK_LABEL`, `E_MASK_SCHEME`.
    """
    if not labels.segments:
        raise InputError("E_MASK_EMPTY", labels.path, "has no voxel above 0", "give a mask with the vertebra drawn in")
    if scheme is not None and scheme not in SCHEMES:
        remedy = f"name one of {', '.join(SCHEMES)}"
        raise InputError("E_MASK_SCHEME", labels.path, f"unknown label scheme {scheme[:40]!r}", remedy)
    if joined := re.fullmatch(rf"({'|'.join(SCHEMES)}):(.+)", str(label)):
        return _by_scheme(labels, joined[2], joined[1])
    if label is not None:
        by_name = isinstance(label, str) and not re.fullmatch(r"[0-9]{1,9}", label)
        found = _by_name(labels, str(label)) if by_name else _by_number(labels, int(label), "")
        if vertebra is not None and scheme is not None:
            _check_agreement(labels, found, vertebra, scheme)
        return _not_another(labels, found, vertebra)
    if vertebra is not None and scheme is not None:
        return _by_scheme(labels, vertebra, scheme)
    if vertebra is not None and (named := _of_vertebra(labels.segments, vertebra)):
        return _only(labels, named, vertebra)
    if len(labels.segments) > 1:
        raise InputError(
            "E_MASK_LABEL", labels.path, f"holds the labels {listed(labels.segments)} and none was chosen",
            "name one by its number or name, or by vertebra and scheme",
        )  # fmt: skip
    return _not_another(labels, labels.segments[0], vertebra)


def _not_another(labels: Labels, found: Segment, vertebra: str | None) -> Segment:
    """The structure, unless it is another vertebra's by its own name."""
    from ovfrad.study.labels import vertebra_named

    wanted, named = vertebra_named(vertebra), vertebra_named(found.name)
    if wanted is not None and named is not None and named != wanted:
        fault = f"label {found.number} is {found.name!r} by its own names, not {wanted}"
        raise InputError("E_MASK_LABEL", labels.path, fault, "correct the vertebra, or give its mask")
    return found


def _number_of(labels: Labels, vertebra: str, scheme: str) -> int:
    try:
        return label_of(vertebra, scheme)
    except ValueError as error:
        raise InputError(
            "E_MASK_SCHEME", labels.path, str(error).rstrip("."),
            "name a vertebra (T12, L1) and the scheme of the mask's numbers",
        ) from error  # fmt: skip


def _by_scheme(labels: Labels, vertebra: str, scheme: str) -> Segment:
    """By the names of the file where it has any, else by the number of the scheme."""
    number = _number_of(labels, vertebra, scheme)
    if named := _of_vertebra(labels.segments, vertebra):
        return _only(labels, named, vertebra)
    found = _by_number(labels, number, f" ({vertebra} in scheme {scheme})")
    if found.name is not None:
        raise InputError(
            "E_MASK_LABEL", labels.path,
            f"label {number} is {found.name!r} by its own names, not {vertebra} as in scheme {scheme}",
            "name the structure as the file does",
        )  # fmt: skip
    return found


def _check_agreement(labels: Labels, found: Segment, vertebra: str, scheme: str) -> None:
    number = _number_of(labels, vertebra, scheme)
    if found.number != number:
        raise InputError(
            "E_MASK_LABEL", labels.path,
            f"label {found.number} was asked for, but {vertebra} is {number} in scheme {scheme}",
            "name the label or the vertebra, or let them agree",
        )  # fmt: skip


def _by_number(labels: Labels, number: int, name: str) -> Segment:
    found = [s for s in labels.segments if s.number == number]
    if not found:
        raise InputError(
            "E_MASK_LABEL", labels.path,
            f"label {number}{name} has no voxel (labels present: {listed(labels.segments)})",
            "name one that is present",
        )  # fmt: skip
    if others := [s for s in labels.segments if s.name == str(number) and s.number != number]:
        fault = f"{number} is the number of one structure and the name of another: {listed([*found, *others])}"
        raise InputError("E_MASK_LABEL", labels.path, fault, "choose by a name or number that is one structure's alone")
    return _only(labels, found, str(number))


def _by_name(labels: Labels, name: str) -> Segment:
    wanted = " ".join(name.split())
    for same in (str.__str__, str.casefold):
        if found := [s for s in labels.segments if s.name and same(s.name) == same(wanted)]:
            return _only(labels, found, wanted)
    if found := _of_vertebra(labels.segments, wanted):
        return _only(labels, found, wanted)
    present = f"labels present: {listed(labels.segments)}"
    if wanted.upper() in VERTEBRAE and not any(s.name for s in labels.segments):
        raise InputError(
            "E_MASK_SCHEME", labels.path, f"vertebra {wanted} has no number without a scheme ({present})",
            f"add --scheme {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}: their numbers clash",
        )  # fmt: skip
    raise InputError("E_MASK_LABEL", labels.path, f"has no {wanted[:64]!r} ({present})", "name one that is present")


def _of_vertebra(segments: Sequence[Segment], vertebra: str) -> list[Segment]:
    """Structures named as the vertebra: L1, vertebra L1, vertebrae_L1, L1 vertebra; Th11 is T11."""
    from ovfrad.study.labels import bare_name

    return [s for s in segments if s.name and bare_name(s.name) == bare_name(vertebra)]


def _only(labels: Labels, found: Sequence[Segment], asked: str) -> Segment:
    if len(found) > 1:
        raise InputError(
            "E_MASK_LABEL", labels.path, f"has {len(found)} structures that fit {asked!r}: {listed(found)}",
            "ask by what differs, number or name",
        )  # fmt: skip
    return found[0]
