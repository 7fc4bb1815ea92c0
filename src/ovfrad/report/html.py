"""One self-contained HTML page: figures embedded, nothing loaded from outside, readable without scripts."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from ovfrad.report.blocks import Section
from ovfrad.report.inputs import ReportInput
from ovfrad.report.opening import banners
from ovfrad.report.words import RESEARCH_ONLY

#: An SVG larger than this is embedded as PNG, bytes.
LARGEST_SVG = 600_000


def embed(svg: Path, png: Path) -> str:
    """Return a data URI of the figure: SVG when it is small, else PNG."""
    if svg.stat().st_size <= LARGEST_SVG:
        return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode()
    return "data:image/png;base64," + base64.b64encode(png.read_bytes()).decode()


def render(data: ReportInput, parts: Sequence[Section], figures: Path) -> str:
    """Return the page; every text of the user is escaped by the template."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ovfrad.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        data=data,
        sections=parts,
        banners=banners(data),
        research_only=RESEARCH_ONLY,
        image=lambda name: embed(figures / f"{name}.svg", figures / f"{name}.png"),
    )
