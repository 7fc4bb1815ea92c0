"""Tables, figures and the HTML report of one run; reads nothing but the `ReportInput` it is given."""

from ovfrad.report.inputs import ReportInput
from ovfrad.report.parts import Chosen, Gallery, Mesh, MontageCase, SelectionTrace, Shap, SliceStack, Weights
from ovfrad.report.write import write_report

__all__ = [
    "Chosen", "Gallery", "Mesh", "MontageCase", "ReportInput", "SelectionTrace", "Shap", "SliceStack", "Weights",
    "write_report",
]  # fmt: skip
