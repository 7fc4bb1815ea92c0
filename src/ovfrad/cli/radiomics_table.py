"""What `ovfrad radiomics` prints: features of one region or several, the list of features, the settings of a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

WIDTH = 100
"""Most characters of a line."""

STUDY_BINS = (16, 128)
"""Number of grey-level bins outside which a warning is given, as in a study."""

SECTIONS = {
    "Profile": ("profile", "aggregation"),
    "Before anything else": ("label", "normalize", "normalize_scale", "remove_outliers"),
    "Voxels": ("resampled_pixel_spacing", "interpolator", "round_intensities", "pad_distance", "pre_crop"),
    "Region": (
        "resegment_range",
        "resegment_mode",
        "resegment_shape",
        "outlier_sigma",
        "minimum_roi_size",
        "minimum_roi_dimensions",
    ),
    "Grey levels": ("bin_width", "bin_count", "bins"),
    "Textures and first order": (
        "distances",
        "force2d",
        "force2d_dimension",
        "symmetrical_glcm",
        "weighting_norm",
        "gldm_a",
        "voxel_array_shift",
    ),
}
"""Settings in the order in which they come into play."""

HEAD = """\
A parameter file is PyRadiomics' own (YAML or JSON). It has up to three sections:

  imageType:      # image types, each with settings of its own; default: Original alone
    Original: {}
    LoG: {sigma: [1.0, 3.0]}
  featureClass:   # classes, each with the names wanted, or all; default: all but shape2D
    firstorder:
    glcm: [Contrast, Id]
  setting:
    binWidth: 25"""


def print_features(
    image: Path,
    mask: Path,
    labels: Sequence[int | str | None],
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


def list_features(aggregation: str, how: str | None) -> None:
    """Print every feature: text to read, or the table as csv or json."""
    from ovfrad.radiomics.listing import as_text, describe

    if how is None:
        print(as_text(aggregation, WIDTH))
    elif how == "csv":
        print(describe(aggregation).to_csv(index=False), end="")
    else:
        print(json.dumps(describe(aggregation).to_dict("records"), indent=1))


def list_settings() -> None:
    """Print the form of a parameter file and every key it may have: default, meaning, accepted values."""
    from ovfrad.radiomics.filters.options import OPTIONS, UNSUPPORTED
    from ovfrad.radiomics.parameters import NO_EFFECT
    from ovfrad.radiomics.rules import RULES, theirs
    from ovfrad.radiomics.settings import OF_IMAGE_TYPE, Settings

    told = dict(_explanations(Settings.__doc__ or ""))
    default = {item.name: item.default for item in fields(Settings)}
    print(HEAD)
    for title, names in SECTIONS.items():
        print(f"\n{title}")
        for name in names:
            _print_key(theirs(name), _shown(default[name]), told[name], RULES[name].meaning)
    print("\nImage types and their own settings")
    for kind, options in OPTIONS.items():
        _print_key(kind, "", "", "")
        for key, option in options.items():
            needed = "needed" if option.default == () else _shown(option.default)
            _print_key(f"  {key}", needed, "", option.meaning)
    own = ", ".join(theirs(name) for name in OF_IMAGE_TYPE)
    print(fill(f"Any image type may have these of its own too, instead of those under `setting`: {own}.", WIDTH))
    refused = {**{f"imageType {kind}": reason for kind, reason in UNSUPPORTED.items()}, "voxelSetting": "regions only"}
    for title, keys in (("Read, with a warning, and without effect", NO_EFFECT), ("Refused", refused)):
        print(f"\n{title}")
        for key, reason in keys.items():
            _print_key(key, "", reason, "")


def _explanations(text: str) -> Iterator[tuple[str, str]]:
    """Names and explanations of the parameters in a docstring in numpy style, settings by their keys."""
    from ovfrad.radiomics.rules import theirs

    for name, lines in re.findall(r"^ {4}(\w+) : .*\n((?: {8}.*\n)+)", text, re.MULTILINE):
        told = re.sub(r"`(\w+)`", lambda found: theirs(found[1]), lines)
        yield name, " ".join(told.split())


def _print_key(key: str, default: str, told: str, accepted: str) -> None:
    """Key, default, and the rest in lines beside them."""
    kind = f"({accepted})" if accepted and accepted != "true or false" else ""
    first, *further = wrap(f"{told} {kind}".strip(), WIDTH - 40) or [""]
    print(f"  {key:<24}{default:<13} {first}".rstrip())
    for line in further:
        print(" " * 40 + line)


def _shown(value: Any) -> str:
    """A default as a parameter file would have it."""
    if value is None:
        return "-"
    return json.dumps(list(value) if isinstance(value, tuple) else value).strip('"').removesuffix(".0")
