"""The sections of the report in the paper's order; each part is shown, or a sentence says why it is absent."""

from __future__ import annotations

import pandas as pd

from ovfrad.report.blocks import Block, Drawn, Section, absent, figure, table, text, why_absent
from ovfrad.report.figures_selection import MOST
from ovfrad.report.inputs import ReportInput
from ovfrad.report.interactive import roc_reader, slice_viewer
from ovfrad.report.opening import opening
from ovfrad.report.parts import SelectionTrace
from ovfrad.report.sections_detail import detail
from ovfrad.report.sections_results import calibration, explanation, performance
from ovfrad.report.sections_run import differences, honesty, run_facts
from ovfrad.report.style import slug
from ovfrad.report.table_one import table_one, table_two
from ovfrad.report.table_results import plain_table
from ovfrad.report.words import known, number


def sections(data: ReportInput, drawn: Drawn) -> list[Section]:
    """All sections; `drawn` names the figures that exist."""
    made = [opening(data), cases(data, drawn), images(data, drawn), selection(data, drawn), _results(data, drawn)]
    return [
        *made,
        calibration(data, drawn),
        detail(data, drawn),
        explanation(data, drawn),
        honesty(data),
        differences(data),
        run_facts(data),
    ]


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
    """Montage and surface."""
    kind = "synthetic CT" if data.synthetic else "CT"
    none = why_absent(data, "montage", "Pictures of vertebrae are absent: the run kept none.")
    blocks = [
        figure(
            "roi_montage" in drawn,
            "roi_montage",
            f"A few vertebrae as the software sees them ({kind}, window −250 to 1250 HU), the mask outlined in red.",
            alt="Sagittal, axial and coronal sections with the contour of the vertebral body",
            otherwise=none,
        )
    ]
    if viewer := slice_viewer(data):
        blocks.append(viewer)
    if "mesh" in drawn or data.source == "images":
        otherwise = why_absent(data, "mesh", "The surface picture is absent: the run kept no mesh.")
        blocks.append(figure("mesh" in drawn, "mesh", "Surface of one mask.", otherwise=otherwise))
    return Section("images", "Images and masks", blocks)


def selection(data: ReportInput, drawn: Drawn) -> Section:
    """Feature counts, rad-score and LASSO per arm."""
    if not data.selection:
        reason = "Feature selection is not shown: the run kept no trace of it."
        if not data.ordered:
            reason = "Feature selection by a LASSO on class codes is absent: the outcome has no order of classes."
        return Section("selection", "Feature selection", [absent(why_absent(data, "selection", reason))])
    blocks = [
        text(
            "What is drawn here was learned on the whole training cohort; inside every fold of the nested estimate all "
            "of it was learned again from that fold's training rows."
        )
    ]
    for arm, trace in data.selection.items():
        blocks += _arm(arm, trace, drawn)
    return Section("selection", "Feature selection", blocks)


def _arm(arm: str, trace: SelectionTrace, drawn: Drawn) -> list[Block]:
    counts = pd.DataFrame([{"Step": s, "Features left": f"{n:,}"} for s, n in trace.counts])
    kept = sorted(((n, b) for n, b in trace.coefficients.items() if b), key=lambda item: -abs(item[1]))
    rows = [{"Feature": n, "Coefficient per SD": number(b, 3), **_frequency(trace, n)} for n, b in kept]
    key = slug(arm)
    none = f"Arm {arm}: no feature kept a coefficient, so there is no rad-score; the path shows why."
    more = f" The {MOST} largest are drawn." if len(kept) > MOST else ""
    blocks = [
        table(
            counts,
            f"feature_counts_{key}",
            f"Arm {arm}: features left after each step.",
            otherwise=f"Arm {arm}: no steps kept.",
        ),
        figure(
            f"lasso_{key}" in drawn,
            f"lasso_{key}",
            f"Arm {arm}: cross-validated loss (bars: standard error) and coefficients over the penalty.",
            otherwise=f"Arm {arm}: the LASSO path is absent; too few features reached it, or there is one per class.",
        ),
        figure(f"rad_score_{key}" in drawn, f"rad_score_{key}", f"Arm {arm}: rad-score.{more}", otherwise=none),
    ]
    if rows:
        frame = pd.DataFrame(rows)
        blocks.append(table(frame, f"rad_score_{key}", f"Arm {arm}: every coefficient of the rad-score.", folded=True))
    return blocks


def _frequency(trace: SelectionTrace, name: str) -> dict[str, str]:
    if trace.frequency is None:
        return {}
    share = trace.frequency.get(name)
    return {"Folds that kept it": f"{100 * share:.0f}%" if known(share) else "–"}
