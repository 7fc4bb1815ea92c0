"""The page as a PDF, through WeasyPrint (extra `pdf`); folded parts are open, scripts have no part in it."""

from __future__ import annotations

import logging
from pathlib import Path

from ovfrad.errors import InputError

REMEDY = "pip install 'ovfrad[pdf]' (and Pango: apt-get install libpango-1.0-0 libpangoft2-1.0-0)"


def require_weasyprint() -> None:
    """Refuse in one line where the extra is not installed, or its system library is absent."""
    try:
        import weasyprint  # noqa: F401
    except ImportError:
        fault = "WeasyPrint, which makes the PDF, is not installed"
    except OSError as error:
        fault = f"WeasyPrint finds no Pango ({str(error).splitlines()[0]})"
    else:
        return
    raise InputError("E_PDF", "ovfrad report --pdf", fault, REMEDY)


def write_pdf(page: Path) -> Path:
    """Write the page beside itself as PDF, whole or not at all; nothing outside the page is loaded."""
    require_weasyprint()
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    target, begun = page.with_suffix(".pdf"), page.with_name(f".{page.stem}.pdf")
    try:
        HTML(string=page.read_text(encoding="utf-8"), url_fetcher=URLFetcher(allowed_protocols={"data"})).write_pdf(
            begun
        )
        begun.replace(target)
    finally:
        begun.unlink(missing_ok=True)
    return target
