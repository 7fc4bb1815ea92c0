"""What every section of study.yaml has in common: frozen, no unknown key, no number that is none.

>>> class Grid(Section):
...     step_mm: float = 1.0
>>> Grid(step_mm=2).step_mm
2.0
>>> Grid(step_mm=float("nan"))
Traceback (most recent call last):
pydantic_core._pydantic_core.ValidationError: 1 validation error for Grid
...
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

_TRUTH = "YAML reads yes, no, on and off as true and false: write it in quotes"


def _text(value: Any) -> Any:
    """A whole number as text, as the cells of a table are; what YAML takes for true or false is refused."""
    if isinstance(value, bool):
        raise ValueError(_TRUTH)
    return str(value) if isinstance(value, int) else value


Text = Annotated[str, BeforeValidator(_text)]
Share = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
#: From the paddings of scanners to the end of extended scales (metal).
Hounsfield = Annotated[float, Field(ge=-3024, le=30710)]


class Section(BaseModel):
    """Base of every section: unknown keys are errors, values never change, numbers are finite and no truth values."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where numbers belong: Python would take them for 1 and 0."""
        items = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(item, bool) for item in items) and _numeric(
            cls.model_fields[str(info.field_name)].annotation
        ):
            raise ValueError("true and false (yes, no, on, off) are no numbers")
        return value


def _numeric(annotation: Any) -> bool:
    """Whether a field holds numbers, alone or in a list.

    >>> _numeric(tuple[float, float]), _numeric(int | None), _numeric(bool), _numeric(tuple[Text, ...])
    (True, True, False, False)
    """
    parts = get_args(annotation)
    return any(map(_numeric, parts)) if parts else annotation in (int, float)
