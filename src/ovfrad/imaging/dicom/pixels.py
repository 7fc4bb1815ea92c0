"""What stored pixel words mean (DICOM PS3.5 8.1.1, PS3.3 C.11.1.1.2): stored bits, sign, rescale to HU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError

NATIVE = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
}
COMPRESSED = {
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (Process 2 and 4)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless (Process 14)",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless (Process 14, Selection Value 1)",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 with RPCL Lossless",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
}
"""Transfer syntaxes that are read (PS3.6 A.1); uncompressed and compressed."""
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 203)}
"""Syntaxes that may lose; the last two need not, and say so in LossyImageCompression."""


def as_stored(path: Path, words: NDArray[Any], bits: int, signed: bool) -> NDArray[Any]:
    """Stored values in 16-bit words, of which the lowest `bits` count.

    Writers fill the bits above with the sign or with zeros; other contents are no pixels of a CT.

    Parameters
    ----------
    path : Path
        Named in messages.
    words : ndarray of int16 or uint16, shape (row, column)
        As read or decoded.
    bits : int
        BitsStored, 9 to 16.
    signed : bool
        PixelRepresentation: two's complement.

    Returns
    -------
    ndarray of int16 (signed) or uint16, shape (row, column)
    """
    words = words.view(np.int16 if signed else np.uint16)
    if bits == 16:
        return words
    low, high, top = int(words.min()), int(words.max()), 1 << bits
    if signed and -top // 2 <= low and high < top // 2:
        return words
    if low >= 0 and high < top:
        return (words ^ (top // 2)) - np.int16(top // 2) if signed else words
    raise InputError(
        "E_DICOM_FILE", path, f"its pixels are not {words.shape[0]} x {words.shape[1]} values of {bits} bits",
        "copy or export the series again",
    )  # fmt: skip


def in_hu(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """HU = slope * stored + intercept: int32 where both are whole numbers, exact, else float64."""
    if slope == int(slope) and intercept == int(intercept) and max(abs(slope), abs(intercept)) < 1 << 14:
        hu = stored.astype(np.int32)
        if slope != 1:
            hu *= int(slope)
        hu += int(intercept)
        return hu
    return stored * slope + intercept
