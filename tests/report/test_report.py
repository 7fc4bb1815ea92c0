from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from ovfrad.evaluation.summary import evaluate
from ovfrad.report import ReportInput, write_report
from ovfrad.report.opening import banners, conclusions, headline_sentence
from ovfrad.report.style import drawable


class Page(HTMLParser):
    """Tables, addresses, ids and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self._table: list[list[str]] = []
        self._cell: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [str(found[a]) for a in ("src", "href", "action", "data", "poster") if a in found]
        self.ids += [str(found["id"])] if "id" in found else []
        if tag == "table":
            self._table = self.tables.setdefault(str(found["id"]).removeprefix("table-"), [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("th", "td"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td") and self._cell is not None:
            self._table[-1].append("".join(self._cell))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._cell is not None:
            self._cell.append(data)


@pytest.fixture(scope="module")
def written(written_full: Path) -> Path:
    return written_full


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plain_written(plain: ReportInput, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    (folder / ".report-killed" / "figures").mkdir(parents=True)
    return write_report(plain, folder)


def test_what_a_killed_report_left_is_taken_away(plain_written: Path) -> None:
    assert sorted(path.name for path in plain_written.parent.iterdir()) == ["figures", "report.html", "tables"]


def test_nothing_is_loaded_from_outside(page: Page, written: Path) -> None:
    assert [a for a in page.addresses if not a.startswith(("#", "data:image/"))] == []
    text = written.read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(|<script[^>]*src|fetch\(|XMLHttpRequest|import\(", text)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    script = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert policy and len(script) == 1
    digest = b64encode(sha256(script[0].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert written.stat().st_size < 10_000_000


def test_links_lead_somewhere_and_every_picture_has_words(page: Page, written: Path) -> None:
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    pictures = re.findall(r"<img [^>]*>", written.read_text(encoding="utf-8"))
    assert len(pictures) > 12
    assert all(re.search(r'alt="[^"]{5,}"', picture) for picture in pictures)


def test_every_table_file_equals_the_table_shown(page: Page, written: Path) -> None:
    files = {f.stem: f for f in (written.parent / "tables").glob("*.csv")}
    assert set(files) == set(page.tables)
    for name, file in files.items():
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8")
        head = ["" if c.startswith("Unnamed") else c for c in frame.columns]
        shown = page.tables[name]
        assert [head, *frame.to_numpy().tolist()][: len(shown)] == shown and len(shown) > 1, name
        assert len(shown) == len(frame) + 1 or f"The first {len(shown) - 1} of {len(frame)} rows" in page.words


def test_the_first_page_answers(page: Page, full: ReportInput) -> None:
    block = full.headline_block("external")
    assert block is not None
    auc = block["macro_auc"]
    size = f"n = {auc['n']} vertebrae of {auc['n_patients']} patients"
    interval = f"{auc['low']:.2f} to {auc['high']:.2f}; {auc['method']}; {size}"
    assert f"macro AUC {auc['estimate']:.2f} ({interval})" in page.words
    for sentence in (
        "Synthetic images: this run tests the software and says nothing about patients.",
        "Random network: arm random has seeded random weights; its deep features were never trained.",
        "Research use only, not a medical device.",
        "Nothing about transfer learning",
        "What not to conclude",
    ):
        assert sentence in page.words


def test_every_figure_is_there_twice_and_says_research_only(written: Path) -> None:
    figures = written.parent / "figures"
    names = {f.stem for f in figures.iterdir()}
    assert {"flow_chart", "roc", "all_models", "confusion", "reliability", "decision_curves", "roi_montage"} <= names
    assert {"mesh", "lasso_random", "rad_score_none", "shap_bar", "shap_beeswarm", "shap_decision"} <= names
    for name in names:
        assert (figures / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        svg = (figures / f"{name}.svg").read_text(encoding="utf-8")
        assert "Research use only, not a medical device" in svg
        assert not re.search(r'href="(?!#|data:)|<script|url\((?!#)', svg)
    assert "Research use only" in (written.parent / "tables" / "README.txt").read_text(encoding="utf-8")


def test_strings_of_the_user_come_out_as_text(plain_written: Path) -> None:
    text = plain_written.read_text(encoding="utf-8")
    found = Page(text)
    assert "alert" not in "".join(re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL))
    assert "b" not in found.tags
    assert "Wirbelsäule <b>& 脊椎</b> $x_1$" in found.words
    assert "<script>alert(1)</script>" in found.words


def test_formulas_stay_text_in_spreadsheets(plain: ReportInput, tmp_path: Path) -> None:
    bad = pd.DataFrame({"patient_id": ["=cmd|' /C calc'!A0", '../x, "y"\x1b[31m'], "reason": ["+1+cmd", "@x"]})
    write_report(replace(plain, predictions=None, results=None, shap=None, quarantine=bad), tmp_path)
    frame = pd.read_csv(tmp_path / "tables" / "quarantine.csv", dtype=str)
    assert frame["Patient id"].tolist() == ["'=cmd|' /C calc'!A0", '../x, "y"?[31m']
    assert frame["Reason"].tolist() == ["'+1+cmd", "'@x"]


def test_absent_parts_are_explained_and_no_figure_is_empty(plain_written: Path) -> None:
    words = " ".join(Page(plain_written.read_text(encoding="utf-8")).words.split())
    for sentence in (
        "Pictures of vertebrae are absent: the study started from a feature table; no image was read.",
        "Feature selection by a LASSO on class codes is absent: the outcome has no order of classes.",
        "The nomogram of one scale is absent: it needs an order of the classes.",
        "Table 2 (class by treatment) is absent: the case table has no treatment column.",
        "Nothing about other centres: there is no external cohort.",
        "No network was used",
    ):
        assert sentence in words
    assert not (plain_written.parent / "figures" / "nomogram.svg").exists()


def test_a_run_with_cases_only_still_reports(full: ReportInput, tmp_path: Path) -> None:
    bare = ReportInput("bare", full.classes, full.cases)
    words = " ".join(Page(write_report(bare, tmp_path).read_text(encoding="utf-8")).words.split())
    assert "Performance is absent: the run was not evaluated." in words
    assert "SHAP values are absent" in words
    assert [f.name for f in (tmp_path / "figures").glob("*.png")] == ["flow_chart.png"]


def test_the_reason_given_by_the_workflow_is_printed(full: ReportInput, tmp_path: Path) -> None:
    why = {"shap": "SHAP values are absent: the user left them out."}
    page = write_report(ReportInput("bare", full.classes, full.cases, absent=why), tmp_path)
    assert why["shap"] in page.read_text(encoding="utf-8")


def test_a_failed_audit_and_label_components_are_shouted(full: ReportInput) -> None:
    audit = {"status": "fail", "rows": [{"check": "permutation", "status": "fail", "value": 0.58, "limit": 0.52}]}
    failed = replace(full, results={**(full.results or {}), "audit": audit}, allowed_components=["t_score"])
    assert banners(failed)[:2] == [
        ("fail", "FAIL: an honesty check failed (permutation). Do not use the results of this run."),
        ("fail", "Predictors that are part of the label or follow from it are in use: t_score."),
    ]
    assert all(kind != "fail" for kind, _ in banners(full))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.45, 0.61, "No usable signal is shown in external validation: the interval of the macro AUC includes 0.50."),
        (0.503, 0.86, "No usable signal is shown in external validation: the interval of the macro AUC includes 0.50."),
        (0.3, 0.45, "In external validation the model ranks worse than guessing"),
        (0.6, 0.65, "In external validation the model ranks vertebrae by class better than guessing"),
        (None, None, "In external validation there are too few vertebrae for an interval"),
    ],
)
def test_conclusions_follow_the_interval(full: ReportInput, low: float | None, high: float | None, words: str) -> None:
    results = json.loads(json.dumps(full.results))
    cohorts = results["recipes"]["sound"]["cohorts"]
    cohorts["external"]["random"]["auto"]["macro_auc"] |= {"estimate": 0.5, "low": low, "high": high}
    if low is None:
        for name in ("train", "internal", "prospective"):
            del cohorts[name]
    assert conclusions(replace(full, results=results))[0].startswith(words)


def test_a_cohort_without_interval_does_not_speak_for_the_study(full: ReportInput) -> None:
    results = json.loads(json.dumps(full.results))
    results["recipes"]["sound"]["cohorts"]["external"]["random"]["auto"]["macro_auc"] |= {"low": None, "high": None}
    changed = replace(full, results=results)
    assert headline_sentence(changed).startswith("Prospective validation, in cases collected after training: macro AUC")
    assert "Nothing from external validation: it is too small for an interval." in conclusions(changed)


def test_a_second_report_replaces_the_first_and_a_failed_one_leaves_it(plain: ReportInput, tmp_path: Path) -> None:
    bare = replace(plain, predictions=None, results=None, shap=None)
    page = write_report(bare, tmp_path)
    (tmp_path / "tables" / "stale.csv").write_text("old")
    before = write_report(bare, tmp_path).read_bytes()
    assert not (tmp_path / "tables" / "stale.csv").exists()
    with pytest.raises(KeyError):
        write_report(replace(bare, cases=bare.cases.drop(columns="y")), tmp_path)
    assert page.read_bytes() == before
    assert sorted(f.name for f in tmp_path.iterdir()) == ["figures", "report.html", "tables"]


def test_results_of_the_real_evaluation_are_read(full: ReportInput) -> None:
    block = evaluate(full.headline_predictions("external"), resamples=100)
    assert {"macro_auc", "micro_auc", "class_auc", "accuracy", "no_information_rate", "class", "ece"} <= set(block)
    assert {"confusion_matrix", "brier", "log_loss"} <= set(block)


def test_long_and_strange_names_are_drawn() -> None:
    assert len(drawable("x" * 300)) <= 60
    assert drawable("café\n\x00") == "café??"
