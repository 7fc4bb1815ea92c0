"""The sections of the report in the paper's order; each part is shown, or a sentence says why it is absent."""

from __future__ import annotations

from ovfrad.report.blocks import Drawn, Section, figure, table, why_absent
from ovfrad.report.checklists import checklists
from ovfrad.report.inputs import ReportInput
from ovfrad.report.interactive import roc_reader, slice_viewer
from ovfrad.report.methods_text import methods_section
from ovfrad.report.opening import opening
from ovfrad.report.sections_deep import network
from ovfrad.report.sections_detail import detail
from ovfrad.report.sections_explain import explanation
from ovfrad.report.sections_results import calibration, performance
from ovfrad.report.sections_run import differences, honesty, run_facts
from ovfrad.report.sections_selection import selection
from ovfrad.report.table_one import table_one, table_two
from ovfrad.report.table_results import plain_table


def sections(data: ReportInput, drawn: Drawn) -> list[Section]:
    """All sections; `drawn` names the figures that exist."""
    made = [opening(data), cases(data, drawn), images(data, drawn), selection(data, drawn), _results(data, drawn)]
    made += [calibration(data, drawn), detail(data, drawn), explanation(data, drawn)]
    made += [part for part in (network(data, drawn), honesty(data), differences(data)) if part is not None]
    made += [methods_section(data), run_facts(data)]
    return [*made, checklists(data, made)]


def _results(data: ReportInput, drawn: Drawn) -> Section:
    """Performance, the reader of thresholds below the ROC curves."""
    found, reader = performance(data, drawn), roc_reader(data)
    blocks = list(found.blocks)
    at = next((place for place, block in enumerate(blocks, 1) if block.name == "roc"), None)
    if at is not None and reader is not None:
        blocks.insert(at, reader)
    return Section(found.key, found.title, blocks)


def cases(data: ReportInput, drawn: Drawn) -> Section:
    """Flow chart, Table 1, Table 2, acquisition, agreement of readers, quarantine."""
    two = table_two(data)
    blocks = [
        figure("flow_chart" in drawn, "flow_chart", f"Patients and {data.unit} from eligibility to cohorts."),
        table(
            table_one(data),
            "table1_baseline_by_cohort",
            "Table 1. Baseline characteristics by cohort.",
            "Patients are counted once in rows of patients; tests of the other rows treat each row as independent. "
            "SMD: largest absolute standardised difference from the first cohort; above 0.10 deserves a look. "
            "Missing values are counted and left out of the percentages and tests.",
        ),
        table(
            two,
            "table2_class_by_treatment",
            "Table 2. Class by treatment, n (% of the class).",
            otherwise=why_absent(
                data, "treatment", "Table 2 (class by treatment) is absent: the case table has no treatment column."
            ),
        ),
        table(
            plain_table(data.acquisition),
            "acquisition",
            "Scanners and acquisition parameters.",
            otherwise=why_absent(
                data, "acquisition", "The acquisition table is absent: no scanner or protocol facts were read."
            ),
            folded=True,
        ),
        table(
            plain_table(data.agreement),
            "reader_agreement",
            "Agreement of the two readers on the items of the label.",
            otherwise=why_absent(
                data, "agreement", "Agreement of readers is absent: the case table has one reader's items only."
            ),
        ),
        table(
            plain_table(data.quarantine),
            "quarantine",
            "Cases set aside because their files or rows could not be used.",
            otherwise="No case was set aside.",
            folded=True,
        ),
    ]
    return Section("cases", "Patients and vertebrae" if data.unit == "vertebrae" else "Patients and cases", blocks)


def images(data: ReportInput, drawn: Drawn) -> Section:
    """Workflow, montage, slices and surface."""
    kind = "synthetic CT" if data.synthetic else "CT"
    title = "The workflow of this run, with the numbers of the headline's arm."
    if data.headline and data.headline[2] in ("auto", "sparse"):
        title += (
            f" The headline model, {data.headline[2]}, sees every feature left by the ICC and PCA, not the fused set."
        )
    none = why_absent(data, "montage", "Pictures of vertebrae are absent: the run kept none.")
    blocks = [
        figure(
            "workflow" in drawn,
            "workflow",
            title,
            alt="Boxes from CT and mask through features, filters, fusion and models to a prediction",
            otherwise="The drawing of the workflow is absent: the run kept no trace of its steps.",
        ),
        figure(
            "roi_montage" in drawn,
            "roi_montage",
            f"A few vertebrae as the software sees them ({kind}, window −250 to 1250 HU), the mask outlined in red.",
            alt="Sagittal, axial and coronal sections with the contour of the vertebral body",
            otherwise=none,
        ),
    ]
    if viewer := slice_viewer(data):
        blocks.append(viewer)
    if "mesh" in drawn or data.source == "images":
        otherwise = why_absent(data, "mesh", "The surface picture is absent: the run kept no mesh.")
        blocks.append(figure("mesh" in drawn, "mesh", "Surface of one mask.", otherwise=otherwise))
    return Section("images", "Workflow, images and masks", blocks)
