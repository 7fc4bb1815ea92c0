"""Tables, figures and the HTML report of one run; reads nothing but the `ReportInput` it is given."""

from ovfrad.report.inputs import (
    Mesh,
    MontageCase,
    ReportInput,
    SelectionTrace,
    Shap,
    Weights,
)
from ovfrad.report.write import write_report

__all__ = ["Mesh", "MontageCase", "ReportInput", "SelectionTrace", "Shap", "Weights", "write_report"]
