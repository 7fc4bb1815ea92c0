"""One house style for every figure: colours, type, footer, and the two files each figure is written to."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.report.words import RESEARCH_ONLY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: One colour per class, the same everywhere: distinct in hue and in lightness, so also in grey print and for
#: colour-blind readers (Okabe and Ito; Tol).
CLASS_COLOURS = ("#0072B2", "#E69F00", "#882255", "#009E73", "#56B4E9", "#CC79A7", "#44464B", "#999933")
CLASS_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 5)))
INK, GREY, PALE, CONTOUR = "#1B1F24", "#6B7280", "#D5D9E0", "#FF5A4D"
#: Text width of a printed page, inches.
WIDTH = 7.0
#: Lower margin kept for the footer, inches.
FOOTER = 0.22
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "grid.color": "#E4E7EC",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "ovfrad",
    "path.simplify_threshold": 0.3,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw inside this: matplotlib without a display, in the house style, whatever the user's matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def new_figure(height: float, width: float = WIDTH, layout: str | None = "constrained") -> Figure:
    """An empty figure of so many inches, laid out without overlap unless `layout` is None."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def colour(code: int) -> str:
    """Colour of a class."""
    return CLASS_COLOURS[code % len(CLASS_COLOURS)]


def line(code: int) -> Any:
    """Line style of a class."""
    return CLASS_LINES[code % len(CLASS_LINES)]


@cache
def _face() -> Any:
    from matplotlib.font_manager import findfont, get_font

    return get_font(findfont("DejaVu Sans"))


def drawable(text: Any, longest: int = 60) -> str:
    r"""Text that the figure font can draw: other characters become `?`, and the middle of long text `…`.

    >>> drawable("Müller\x1b[31m"), drawable("脊椎"), drawable("a" * 70, 9)
    ('Müller?[31m', '??', 'aaaa…aaaa')
    """
    known = _face().get_char_index
    text = "".join(c if c.isprintable() and known(ord(c)) else "?" for c in str(text))
    if len(text) <= longest:
        return text
    half = (longest - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def grid(axes: Axes, axis: str = "both") -> None:
    """Pale grid behind the data."""
    axes.grid(True, axis=axis)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def few_ticks(axes: Axes) -> None:
    """Three round ticks on x, 0 in the middle, short enough for a narrow panel at any scale."""
    low, high = axes.get_xlim()
    tick = round_below(0.8 * max(abs(low), abs(high)))
    places = [x for x in (-tick, 0.0, tick) if low <= x <= high]
    axes.set_xticks(places, [f"{x:g}".replace("-", "−") for x in places])
    axes.set_xlim(low, high)


def round_below(value: float) -> float:
    """Largest number of one digit (or 1.5 times a power of ten) that is not above a positive value.

    >>> [round_below(v) for v in (0.047, 0.0019, 1.0, 23.0)]
    [0.04, 0.0015, 1.0, 20.0]
    """
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value) + 1e-12)
    steps = np.array([1, 1.5, *range(2, 10)])
    return float(f"{steps[steps * power <= value * (1 + 1e-9)].max() * power:.3g}")


def shared_xlabel(figure: Figure, label: str) -> None:
    """One label below all panels; `save` puts it above the footer."""
    figure.supxlabel(label, fontsize=8.5, va="bottom")


def panels(count: int, across: int = 4) -> tuple[int, int]:
    """Rows and columns for so many panels.

    >>> panels(4), panels(5, 3), panels(1)
    ((1, 4), (2, 3), (1, 1))
    """
    columns = min(count, across)
    return int(np.ceil(count / columns)), columns


def slug(text: str) -> str:
    """File name from any text: lower-case ASCII letters, digits, dashes.

    >>> slug("lasso_path RadImageNet/../x"), slug("脊")
    ('lasso_path-radimagenet-x', 'x')
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "x"


def save(figure: Figure, folder: Path, name: str, footer: str, dpi: int = 300) -> dict[str, Path]:
    """Write `name`.svg and `name`.png (300 dpi) with the footer in the lower margin.

    Returns
    -------
    dict of {"svg", "png"} to Path.
    """
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(drawable(footer, 200), int(width * 21))
    margin = FOOTER + 0.11 * (len(lines) - 1)
    label = figure.get_supxlabel()
    engine = figure.get_layout_engine()
    if engine is not None:
        below = (margin + (0.17 if label else 0)) / height
        engine.set(rect=(0, below, 1, 1 - below))  # type: ignore[call-arg]
    if label:
        figure.supxlabel(label, fontsize=8.5, va="bottom", y=margin / height)
    figure.text(0.01, 0.05 / height, "\n".join(lines), fontsize=6, color=GREY, ha="left", va="bottom")
    files = {kind: folder / f"{name}.{kind}" for kind in ("svg", "png")}
    figure.savefig(
        files["svg"], metadata={"Date": None, "Creator": None, "Title": name, "Description": RESEARCH_ONLY}, dpi=200
    )
    figure.set_layout_engine("none")  # laid out once; the second file takes it as it is
    figure.savefig(files["png"], dpi=dpi, metadata={"Title": name, "Description": RESEARCH_ONLY})
    return files
