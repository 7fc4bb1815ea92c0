"""Arithmetic of the network: float32, or bfloat16 where the processor has units for it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16", "auto"]
UNITS = ("avx512_bf16", "amx_bf16")
"""Flags of x86 processors that multiply bfloat16 numbers; elsewhere torch only imitates it, and slower."""


def dtype_of(precision: Precision, device: str = "cpu") -> torch.dtype:
    """Type of the network's numbers; `auto` is bfloat16 where the device has units for it.

    >>> dtype_of("float32")
    torch.float32
    """
    if precision == "auto":
        return torch.bfloat16 if has_units(device) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


@cache
def has_units(device: str = "cpu") -> bool:
    """Whether the device multiplies bfloat16 numbers itself."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return False
    return any(unit in flags for unit in UNITS)


def named(kind: torch.dtype) -> str:
    """Name of a type in tables.

    >>> named(torch.bfloat16)
    'bfloat16'
    """
    return str(kind).removeprefix("torch.")
