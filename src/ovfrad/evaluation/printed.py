"""Numbers as they are printed: what they show, and what else would show so."""

from __future__ import annotations

import re
from decimal import Decimal

NUMBER = re.compile(r"^(?:[Pp]\s*)?(?P<relation>[<>=≤≥]?)\s*(?P<digits>-?\d*\.?\d+)\s*%?$")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(\D|$))")
"""A comma between thousands; any other comma is no part of a number."""


class Printed:
    """A number as printed: its value and half a unit of its last digit.

    >>> Printed("56.3").value, Printed("56.3").half_unit
    (56.3, 0.05)
    """

    def __init__(self, text: str) -> None:
        match = NUMBER.match(THOUSANDS.sub("", str(text).strip().replace("·", ".").replace("−", "-")))
        if match is None:
            raise ValueError(f"{text!r} is not a number")
        number = Decimal(match["digits"])
        exponent = number.as_tuple().exponent
        self.relation = match["relation"]
        self.value = float(number)
        self.half_unit = 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0)

    @property
    def digits(self) -> int:
        """Decimals printed.

        >>> Printed("56.3").digits, Printed("62").digits
        (1, 0)
        """
        return max(0, len(f"{self.half_unit * 2:.10f}".rstrip("0").split(".")[1]))

    def shows(self, exact: float, slack: float = 0.0) -> bool:
        """Whether `exact`, rounded either way at a tie, may be printed like this."""
        return abs(self.value - exact) <= self.half_unit + slack + 1e-9

    def cuts(self, exact: float) -> bool:
        """Whether `exact` gives these digits when the rest is cut off instead of rounded."""
        return -1e-9 <= exact - self.value < 2 * self.half_unit


def is_count(text: str) -> bool:
    """Whether a cell is a whole number of cases, at least 0."""
    printed = Printed(text)
    return not printed.relation and printed.value >= 0 and printed.value == int(printed.value)


def count_of(text: str) -> int:
    """A cell that `is_count` as a number."""
    return int(Printed(text).value)
