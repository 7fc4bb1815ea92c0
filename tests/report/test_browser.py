"""The page in a real browser, Debian's chromium without a window; skipped where it is absent."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovfrad.report import ReportInput

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("chromium is not here: `apt-get install chromium`, or name it in CHROMIUM", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not here: `pip install '.[test]'`")

SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page_file(written_full: Path) -> Path:
    return written_full


class Visit:
    """One opened page with what went wrong on it."""

    def __init__(
        self, browser: Any, file: Path, size: tuple[int, int], scripts: bool = True, dark: bool = False
    ) -> None:
        width, height = size
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
        )
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("size", SIZES)
def test_no_fault_no_request_and_every_figure_seen(browser: Any, page_file: Path, size: str) -> None:
    with Visit(browser, page_file, SIZES[size]) as visit:
        page = visit.page
        page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
        shown = page.evaluate(
            "[...document.querySelectorAll('figure img')].map(i => [i.alt, i.complete && i.naturalWidth > 0, "
            "i.getBoundingClientRect().width, i.getBoundingClientRect().height])"
        )
        assert len(shown) > 15
        for alt, loaded, width, height in shown:
            assert loaded and width > 200 and height > 60, alt
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        assert visit.faults == []
        assert [url for url in visit.requests if not url.startswith(("data:", page_file.as_uri()))] == []


def test_on_a_phone_a_figure_is_seen_whole_and_a_tap_enlarges_it(browser: Any, page_file: Path) -> None:
    with Visit(browser, page_file, SIZES["phone"]) as visit:
        image = visit.page.locator("#figure-roc img")
        assert image.evaluate("i => i.getBoundingClientRect().right") <= 390
        image.click()
        assert image.evaluate("i => i.getBoundingClientRect().width") > 600
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        image.click()
        assert image.evaluate("i => i.getBoundingClientRect().right") <= 390


def test_a_heading_sorts_by_its_numbers_and_turns(browser: Any, page_file: Path) -> None:
    with Visit(browser, page_file, SIZES["desk"]) as visit:
        table = visit.page.locator("#table-headline_at_a_glance")
        assert table.get_attribute("class") == "sortable"

        def column() -> list[float]:
            cells = table.locator("tbody tr td:nth-child(2)").all_text_contents()
            return [float(re.match(r"[\d.]+", cell)[0]) for cell in cells]  # type: ignore[index]

        before = column()
        table.locator("thead th:nth-child(2) button").click()
        assert column() == sorted(before) and column() != before
        table.locator("thead th:nth-child(2) button").click()
        assert column() == sorted(before, reverse=True)
        assert table.locator("thead th:nth-child(2)").get_attribute("aria-sort") == "descending"
        assert visit.page.locator("#table-table1_baseline_by_cohort thead button").count() == 0


def test_the_roc_reader_tells_the_counts_of_a_threshold(browser: Any, page_file: Path, full: ReportInput) -> None:
    rows = full.headline_predictions("external")
    with Visit(browser, page_file, SIZES["phone"]) as visit:
        reader = visit.page.locator(".roc-reader")
        reader.locator("select").nth(0).select_option("External validation")
        reader.locator("select").nth(1).select_option("class 2 (surgical)")
        reader.locator("input").evaluate("i => { i.value = 30; i.dispatchEvent(new Event('input')); }")
        told = reader.locator("output").inner_text()
        threshold = np.unique(rows["p_2"])[::-1][30]
        named, case = rows["p_2"] >= threshold, rows["y_true"] == 2
        assert f"Found: {(named & case).sum()} of {case.sum()} (" in told
        assert f"Wrongly named: {(named & ~case).sum()} of {(~case).sum()} (" in told
        assert f"Threshold: {threshold:.3f}" in told
        reader.locator("svg").scroll_into_view_if_needed()
        box = reader.locator("svg").bounding_box()
        assert box is not None and box["width"] < 390
        visit.page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] * 0.05)
        assert f"Found: {case.sum()} of {case.sum()} (sensitivity 1.00)" in reader.locator("output").inner_text()


def test_slices_scroll_and_strange_labels_stay_text(browser: Any, page_file: Path) -> None:
    with Visit(browser, page_file, SIZES["desk"]) as visit:
        viewer = visit.page.locator(".slice-viewer")
        assert viewer.locator("option").all_text_contents() == ["P0001 L1, class 0", "=cmd <b>x</b>"]
        look = "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).join()"
        visit.page.wait_for_function("document.querySelector('.slice-viewer output').textContent !== ''")
        first = viewer.locator("canvas").evaluate(look)
        viewer.locator("input").evaluate("i => { i.value = 0; i.dispatchEvent(new Event('input')); }")
        assert viewer.locator("output").inner_text() == "slice 1 of 9, 2.0 mm apart"
        assert viewer.locator("canvas").evaluate(look) != first
        assert visit.page.locator("b").count() == 0


def test_without_scripts_all_of_it_is_there(browser: Any, page_file: Path) -> None:
    with Visit(browser, page_file, SIZES["desk"], scripts=False) as visit:
        assert not visit.page.locator(".roc-reader").is_visible()
        assert visit.page.locator("#figure-roc img").is_visible()
        assert visit.page.locator("#figure-roi_montage img").is_visible()
        assert visit.page.locator("thead button").count() == 0


def test_printed_from_a_dark_screen_it_is_black_on_white(browser: Any, page_file: Path) -> None:
    colours = "['color', 'backgroundColor'].map(name => getComputedStyle(document.body)[name])"
    with Visit(browser, page_file, SIZES["desk"], dark=True) as visit:
        assert visit.page.evaluate(colours) == ["rgb(231, 234, 238)", "rgb(20, 23, 28)"]
        visit.page.emulate_media(media="print")
        assert visit.page.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        assert visit.page.locator("nav").is_visible() and not visit.page.locator(".reader").first.is_visible()
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert visit.page.locator("details:not([open])").count() == 0
        visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert visit.page.locator("details[open]").count() == 0
