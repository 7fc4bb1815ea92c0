"""Commands over one case: `inspect`, `radiomics`, `astlof`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ovfrad.cli.app import app
from ovfrad.cli.console import print_table
from ovfrad.errors import InputError

Image = Annotated[Path, typer.Argument(help="CT: a NIfTI, NRRD or MHA file, or the folder of a DICOM series.")]
Mask = Annotated[Path, typer.Argument(help="Mask of the vertebra: NIfTI, NRRD, MHA, DICOM SEG or RTSTRUCT.")]
Label = Annotated[str | None, typer.Option("--label", "--roi", help="Label in the mask, or name of a segment or ROI.")]
Vertebra = Annotated[str | None, typer.Option(help="Vertebra by name, such as L1; a label map needs --scheme.")]
Scheme = Annotated[str | None, typer.Option(help="Label scheme: verse, totalsegmentator, totalsegmentator_v1.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class Profile(StrEnum):
    """Conventions of the features."""

    pyradiomics = "pyradiomics"
    ibsi = "ibsi"


class Format(StrEnum):
    """Output of `radiomics`."""

    csv = "csv"
    json = "json"


def chosen_label(mask: Path, label: str | None, vertebra: str | None, scheme: str | None) -> str | None:
    """Label by number or name, or by vertebra under a stated scheme; None where none is given.

    A vertebra without a scheme is a name: segments and ROIs have some, label maps have none. A scheme numbers vertebrae
    and says nothing of a label, so without a vertebra it is refused rather than passed over.
    """
    from ovfrad.astlof import label_of

    check_scheme(mask, scheme)
    if label is not None and vertebra is not None:
        raise InputError("E_MASK_LABEL", mask, "--label and --vertebra are both given", "give one of them")
    if scheme is not None and vertebra is None:
        beside = "without --vertebra" if label is None else f"beside --label {label}, which needs none"
        remedy = "leave it out, or name a vertebra in place of the label"
        raise InputError("E_MASK_SCHEME", mask, f"--scheme {scheme} is given {beside}", remedy)
    if vertebra is None or scheme is None:
        return vertebra or label
    try:
        label_of(vertebra, scheme)
    except ValueError as error:
        raise InputError("E_MASK_LABEL", mask, str(error), "correct --vertebra or --scheme") from None
    return f"{scheme}:{vertebra}"


def checked_level(mask: Path, label: str | None, vertebra: str | None, scheme: str | None) -> str | None:
    """Name of the level as the bundle has it, or None; it may stand beside a label, which then chooses."""
    from ovfrad.study.labels import vertebra_named

    if vertebra is None:
        chosen_label(mask, label, None, scheme)
        return None
    check_scheme(mask, scheme)
    level = vertebra_named(vertebra)
    if level is None:
        remedy = "write a name like T12 or L1; choose a structure of another name by --label"
        raise InputError("E_MASK_LABEL", mask, f"--vertebra is {vertebra[:40]!r}", remedy)
    return level


def check_scheme(mask: Path, scheme: str | None) -> None:
    """Refuse a label scheme that nobody knows."""
    from ovfrad.astlof import SCHEMES

    if scheme is not None and scheme not in SCHEMES:
        fault = f"unknown label scheme {scheme[:40]!r}"
        raise InputError("E_MASK_SCHEME", mask, fault, f"name one of {', '.join(SCHEMES)}")


@app.command()
def inspect(
    image: Image, mask: Mask, label: Label = None, vertebra: Vertebra = None, scheme: Scheme = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show geometry and intensity of one case as it is stored; without a label, what the mask holds."""
    from ovfrad import imaging
    from ovfrad.workflow.folder import plain

    check_scheme(mask, scheme)
    listing = label is None and vertebra is None  # a scheme then names what the mask holds
    chosen = None if listing else chosen_label(mask, label, vertebra, scheme)
    try:
        roi = imaging.read_roi(image, mask, label=chosen, case_id=mask.name, margin_mm=15.0)
    except InputError as error:
        if listing and error.code == "E_MASK_LABEL":
            _list_structures(image, mask, scheme, as_json=as_json)
        raise
    facts = imaging.inspect(roi)
    if as_json:
        print(json.dumps(plain(facts), indent=1))
        return
    print_table([
        ("voxels", f"{facts['voxels']:,}"),
        ("volume", f"{facts['volume_mm3'] / 1000:.2f} ml"),
        ("mean (SD)", f"{facts['mean_hu']:.1f} ({facts['sd_hu']:.1f}) HU"),
        ("range", f"{facts['min_hu']:.0f} to {facts['max_hu']:.0f} HU"),
        ("centroid LPS", " ".join(f"{v:.1f}" for v in facts["centroid_lps"]) + " mm"),
        ("spacing", " x ".join(f"{v:.3g}" for v in facts["spacing_mm"]) + " mm"),
        ("warnings", "; ".join(facts["warnings"]) or "none"),
    ])  # fmt: skip


def _list_structures(image: Path, mask: Path, scheme: str | None, *, as_json: bool) -> None:
    """What a mask holds: numbers, names (of the file, or by the scheme), voxels and volume."""
    from ovfrad import imaging
    from ovfrad.astlof import vertebra_of

    found = [
        (s.number, s.name or (vertebra_of(s.number, scheme) if scheme else None), voxels, volume)
        for s, voxels, volume in imaging.read_segments(image, mask)
    ]
    if as_json:
        keys = ("label", "name", "voxels", "volume_mm3")
        print(json.dumps({"labels": [dict(zip(keys, row, strict=True)) for row in found]}, indent=1))
        return
    for number, name, voxels, volume in found:
        size = "not drawn" if voxels is None or volume is None else f"{voxels:>11,} voxels {volume / 1000:>9.2f} ml"
        print(f"{number:>5}  {name or '-':<24} {size}")


@app.command()
def radiomics(
    image: Annotated[Path | None, typer.Argument(help="NIfTI, NRRD or MHA file, or folder of a DICOM series.")] = None,
    mask: Annotated[Path | None, typer.Argument(help="Labels on its grid: NIfTI, NRRD, MHA, SEG or RTSTRUCT.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "--roi", help="Label or name; give it again for further ones.")
    ] = None,
    vertebra: Vertebra = None,
    scheme: Scheme = None,
    settings: Annotated[Path | None, typer.Option(help="PyRadiomics parameter file (YAML).")] = None,
    profile: Annotated[Profile | None, typer.Option(help="Whose definitions; default: the file's.")] = None,
    aggregation: Annotated[str | None, typer.Option(help="ibsi: 2D_avg, 2D_comb, 2_5D_avg .. 3D_comb.")] = None,
    output: Annotated[Format | None, typer.Option("--format", help="csv (default) or json; --list: text.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="List the features: formula, IBSI tag, unit.")] = False,
    explained: Annotated[bool, typer.Option("--settings-help", help="List the settings of a parameter file.")] = False,
) -> None:
    """Extract PyRadiomics' or IBSI's features of any region, on the stored axes."""
    from ovfrad.cli.radiomics_table import list_features, list_settings, print_features

    if listing:
        list_features(aggregation or "3D_avg", output and output.value)
    elif explained:
        list_settings()
    elif image is None or mask is None:
        raise InputError("E_USAGE", "ovfrad radiomics", "IMAGE and MASK are needed", "or --list, or --settings-help")
    else:
        chosen = chosen_label(mask, label[0] if label else None, vertebra, scheme)
        labels: list[int | str | None] = list(label) if label else [chosen]
        changes = {"profile": profile and profile.value, "aggregation": aggregation}
        given = {key: value for key, value in changes.items() if value is not None}
        print_features(image, mask, labels, settings, given, as_json=output is Format.json)


@app.command()
def astlof(
    morphology: Annotated[int, typer.Option(help="0 normal, 1 compression, 2 burst.")],
    mri: Annotated[int, typer.Option(help="0 normal, 1 high signal, 2 vacuum or fluid sign.")],
    t_score: Annotated[float, typer.Option(help="DXA T-score, SD.")],
    pain: Annotated[int, typer.Option(help="0 none, 1 positional, 2 persistent or neurological.")],
    as_json: AsJson = False,
) -> None:
    """Score one vertebra: points per item, total, class, treatment."""
    from ovfrad.astlof import TREATMENT, AstlofScore, bone_density_points

    try:
        score = AstlofScore(morphology, mri, bone_density_points(t_score), pain)
    except ValueError as error:
        raise InputError("E_ASTLOF", "ovfrad astlof", str(error).rstrip("."), "see `ovfrad astlof --help`") from None
    content = {
        "morphology": score.morphology, "mri": score.mri, "bone_density": score.bone_density, "pain": score.pain,
        "total": score.total, "class": int(score.treatment_class), "treatment": TREATMENT[score.treatment_class],
    }  # fmt: skip
    if as_json:
        print(json.dumps(content, indent=1))
    else:
        print_table([(name.replace("_", " "), str(value)) for name, value in content.items()])
