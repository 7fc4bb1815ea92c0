"""What `ovfrad radiomics` prints: features of one region or several, and the settings of a parameter file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ovfrad.cli.console import print_table

STUDY_BINS = (16, 128)
"""Number of grey-level bins outside which a warning is given, as in a study."""


def print_features(
    image: Path,
    mask: Path,
    labels: Sequence[int | None],
    settings: Path | None,
    changes: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Print one row of CSV a label, or one flat JSON object (of several labels: one by label).

    Under the profile `ibsi` every feature that has an IBSI tag stands under it again.
    """
    from ovfrad import radiomics

    chosen = radiomics.settings_from(settings, **changes)
    if chosen.bins is None:
        chosen = replace(chosen, bins=STUDY_BINS)
    table = radiomics.extract_many(image, mask, [chosen.label] if labels == [None] else labels, chosen)
    if chosen.profile == "ibsi":
        tags = {name: tag for name, tag in table.attrs["ibsi_tags"].items() if tag}
        table = table.join(table[list(tags)].rename(columns=tags))
    if as_json:
        rows = {str(number): row for number, row in table.to_dict("index").items()}
        print(json.dumps(rows if len(rows) > 1 else next(iter(rows.values())), indent=1))
    else:
        print(table.to_csv(index=len(table) > 1), end="")


def list_settings() -> None:
    """Print every key under `setting` with its default and what it means."""
    from ovfrad.radiomics.parameters import NO_EFFECT, OURS
    from ovfrad.radiomics.settings import RULES, Settings

    ours = {item.name: item for item in fields(Settings)}
    rows = [(key, f"{RULES[name].meaning} (default: {_shown(ours[name].default)})") for key, name in OURS.items()]
    print_table([*rows, *((key, f"no effect: {reason}") for key, reason in NO_EFFECT.items())])
    print("\n" + re.sub(r"\n {4}", "\n", (Settings.__doc__ or "").split("\n\n", 1)[1].strip()))


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | None) else str(value)
