"""Values out of nested DICOM sequences, for the parsers of segmentations and structure sets. Runs in the child."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError

DIGITS = b"0123456789+-.eE \\"
"""Bytes of decimal strings (DICOM PS3.5 6.2) and what stands between them: no word such as `nan` is a number."""

LARGEST = 1e9
"""No place (mm), rescale or size in a header is larger; sums and products of such numbers are still numbers."""
FAR_MM = 1e6
"""No point of a patient is a kilometre from the isocentre."""


def fault(code: str, found: str) -> InputError:
    """A refusal; the parent process names the file."""
    return InputError(code, "", found, "export it again")


def items(dataset: Any, keyword: str) -> Sequence[Any]:
    """Data sets of a sequence; none where it is absent."""
    from pydicom.sequence import Sequence as Items

    found = dataset.get(keyword)
    return found if isinstance(found, Items) else ()


def item(dataset: Any, keyword: str) -> Any:
    """First data set of a sequence; None where there is none."""
    found = items(dataset, keyword)
    return found[0] if found else None


def text(dataset: Any, keyword: str) -> str:
    """Text of an element; empty where it is absent."""
    found = dataset.get(keyword)
    return "" if found is None else str(found).strip(" \0")


def whole(dataset: Any, keyword: str) -> int | None:
    """Integer of an element; None where it is absent or none."""
    try:
        return int(dataset.get(keyword))
    except (TypeError, ValueError, OverflowError):
        return None


def numbers(dataset: Any, keyword: str) -> NDArray[np.float64] | None:
    """Decimal strings of an element, straight from their bytes; None where a part is no finite number."""
    element = dataset.get_item(keyword) if keyword in dataset else None
    raw = None if element is None else element.value
    if not isinstance(raw, bytes):  # absent, empty, or read before
        try:
            found = np.array([] if raw is None else raw, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError):
            return None
        return found if np.isfinite(found).all() else None
    raw = raw.strip(b" \0")
    if not raw:
        return np.empty(0)
    if raw.translate(None, DIGITS):
        return None
    try:
        found = np.fromstring(raw, sep="\\")
    except (ValueError, DeprecationWarning):
        return None
    return found if len(found) == raw.count(b"\\") + 1 and np.isfinite(found).all() else None


def references(dataset: Any) -> list[str]:
    """Series that an object names as its source (DICOM PS3.3 C.12.2)."""
    named = [*items(dataset, "ReferencedSeriesSequence")]
    for study in items(dataset, "StudiesContainingOtherReferencedInstancesSequence"):
        named += items(study, "ReferencedSeriesSequence")
    return sorted({uid for one in named if (uid := text(one, "SeriesInstanceUID"))})
