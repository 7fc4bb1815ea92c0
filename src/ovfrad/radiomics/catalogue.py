"""What a feature is: a PyRadiomics name, its IBSI tag and code, its unit and the function that computes it.

Each class of features (`shape`, `firstorder`, ...) is a `FeatureClass`; a feature is a function registered in it,
and the first paragraph of its docstring is its definition, as `describe` lists it.

>>> shapes = FeatureClass("demo", "a demonstration")
>>> @shapes.feature("Double", unit="mm")
... def double(x):
...     "Twice the input: 2 x."
...     return 2 * x
>>> shapes.compute(21.0)
{'demo_Double': 42.0}
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from inspect import cleandoc
from math import fsum
from typing import Any

Formula = Callable[[Any], Any]


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes
    ----------
    name : str
        PyRadiomics name with its class, e.g. `glcm_Contrast`.
    formula : callable
        From the class' input to a number, or to one number a direction, which are averaged.
    ibsi_tag : str
        Tag in the IBSI reference table, e.g. `cm_contrast_3D_avg`; empty where IBSI has no such feature.
    ibsi_code : str
        Permanent code of the IBSI reference manual, e.g. `ACUI`; empty likewise.
    unit : str
        `1` for a pure number, `HU` for the unit of the image, `mm`, `bins` ...
    note : str
        Where the value departs from IBSI, or the profiles differ.
    optional : bool
        Computed only where it is asked for by name: PyRadiomics 3 calls it deprecated, since it repeats another one.
    """

    name: str
    formula: Formula
    ibsi_tag: str = ""
    ibsi_code: str = ""
    unit: str = "1"
    note: str = ""
    optional: bool = False

    @property
    def definition(self) -> str:
        """First paragraph of the formula's docstring, in one line."""
        return " ".join(cleandoc(self.formula.__doc__ or "").split("\n\n")[0].split())


@dataclass(frozen=True)
class FeatureClass:
    """The features that share one input, in the alphabetical order of PyRadiomics."""

    name: str
    title: str
    features: dict[str, Feature] = field(default_factory=dict)

    def feature(
        self, name: str, tag: str = "", code: str = "", unit: str = "1", note: str = "", optional: bool = False
    ) -> Callable[..., Any]:
        """Register a function as the formula of `name`."""

        def register(formula: Formula) -> Formula:
            full = f"{self.name}_{name}"
            if full in self.features:
                raise ValueError(f"{full} is registered twice")
            self.features[full] = Feature(full, formula, tag, code, unit, note, optional)
            return formula

        return register

    @property
    def all_names(self) -> list[str]:
        """Names with their class in PyRadiomics' order: by its method names, so `MeanAbsolute..` before `Mean`."""
        return sorted(self.features, key=lambda name: f"{name}FeatureValue")

    @property
    def names(self) -> list[str]:
        """The same without optional features: what is computed unless names are given."""
        return [name for name in self.all_names if not self.features[name].optional]

    def compute(self, source: Any, only: Collection[str] | None = None) -> dict[str, float]:
        """Evaluate `names` (or `only`, in its order) on the class' input; directions are averaged.

        A list of inputs, one a slice, gives the average over slices.
        """
        chosen = self.names if only is None else only
        if isinstance(source, list):
            each = [self.compute(one, chosen) for one in source]
            return {name: sum(found[name] for found in each) / len(each) for name in chosen}
        return {name: _average(self.features[name].formula(source)) for name in chosen}


def _average(value: Any) -> float:
    """Mean of an array, exactly rounded (numpy takes longer to start than to add up some directions), or the number.

    >>> import numpy as np
    >>> _average(np.array([1.0, 2.0, 6.0])), _average(4)
    (3.0, 4.0)
    """
    numbers = value.tolist() if hasattr(value, "tolist") else value
    return fsum(numbers) / len(numbers) if isinstance(numbers, list) else float(numbers)
