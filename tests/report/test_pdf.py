"""The PDF through the extra, and its refusal in one line where that is absent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ovfrad.cli import app
from ovfrad.cli.console import guarded
from ovfrad.errors import InputError
from ovfrad.report import ReportInput, write_report
from ovfrad.report.pdf import require_weasyprint, write_pdf


def test_without_the_extra_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match=r"^E_PDF ovfrad report --pdf: WeasyPrint.*not installed; pip install 'ovfrad"):
        require_weasyprint()


def test_a_page_becomes_a_pdf_that_loads_nothing(full: ReportInput, tmp_path: Path) -> None:
    try:
        require_weasyprint()
    except InputError as error:
        pytest.skip(str(error))
    page = write_report(ReportInput("bare", full.classes, full.cases.head(60)), tmp_path)
    outside = '<img src="https://example.org/x.png"><img src="file:///etc/passwd"></main>'
    page.write_text(page.read_text(encoding="utf-8").replace("</main>", outside), encoding="utf-8")
    made = write_pdf(page)
    assert made == tmp_path / "report.pdf" and made.read_bytes()[:5] == b"%PDF-"
    assert made.stat().st_size > 20_000
    assert not list(tmp_path.glob(".report*"))


def test_the_command_refuses_before_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    assert guarded(app, ["report", str(tmp_path), "--pdf"]) == 2
    assert capsys.readouterr().err.startswith("E_PDF ovfrad report --pdf: WeasyPrint")
    assert list(tmp_path.iterdir()) == []
