"""One self-contained HTML page: figures embedded, nothing loaded from outside, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from ovfrad.report.blocks import Section
from ovfrad.report.inputs import ReportInput
from ovfrad.report.opening import banners
from ovfrad.report.words import RESEARCH_ONLY

#: An SVG larger than this is embedded as a picture of so many dots per inch and at most 256 colours, bytes.
LARGEST_SVG, EMBEDDED_DPI = 150_000, 200


#: Characters that no text of the page needs: terminal codes and the like, and those that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Picture(NamedTuple):
    """A figure as a data URI, and its width in inches."""

    uri: str
    width: float


def embed(svg: Path, png: Path) -> Picture:
    """Return the figure to embed: SVG when it is small, else a light copy of the PNG; the files stay as they are."""
    head = re.search(rb'<svg [^>]*?width="([0-9.]+)pt"', content := svg.read_bytes())
    width = float(head.group(1)) / 72 if head else 7.0
    if len(content) <= LARGEST_SVG:
        return Picture("data:image/svg+xml;base64," + base64.b64encode(content).decode(), width)
    return Picture("data:image/png;base64," + base64.b64encode(_light(png, width)).decode(), width)


def _light(png: Path, width: float) -> bytes:
    """The picture at `EMBEDDED_DPI` for a width in inches, in a palette of its own."""
    from PIL import Image

    with Image.open(png) as opened:
        picture = opened.convert("RGB")
    across = min(picture.width, round(width * EMBEDDED_DPI))
    smaller = picture.resize((across, round(picture.height * across / picture.width)), Image.Resampling.LANCZOS)
    file = BytesIO()
    smaller.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def json_of(content: Any) -> str:
    r"""JSON that cannot end the element it stands in, whatever the user's strings are.

    >>> json_of(["</script>", "<!--"])
    '["\\u003c/script>", "\\u003c!--"]'
    """
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


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
    script, _, _ = environment.loader.get_source(environment, "report.js")
    page = environment.get_template("report.html.j2").render(
        data=data,
        script=script,
        script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        json_of=json_of,
        sections=parts,
        banners=banners(data),
        research_only=RESEARCH_ONLY,
        image=lambda name: embed(figures / f"{name}.svg", figures / f"{name}.png"),
    )
    return _CONTROLS.sub("?", page)
