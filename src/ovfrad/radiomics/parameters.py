"""PyRadiomics' YAML parameter file, read as far as this engine can follow it.

A key that would change the numbers and is not followed here is refused by its name; a key that is set to the value
PyRadiomics has by default asks for nothing and is accepted; a key without effect here is accepted with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ovfrad.errors import InputError, warn
from ovfrad.radiomics.extraction import CLASSES, PREFIX, names
from ovfrad.study.settings import Radiomics

SECTIONS = ("imageType", "featureClass", "setting")

FOLLOWED = {"binWidth", "label", "normalize", "normalizeScale", "gldm_a"}

NO_EFFECT = {
    "additionalInfo": "no diagnostics are written",
    "geometryTolerance": "grids are compared in voxels",
    "correctMask": "grids are compared in voxels",
    "enableCExtensions": "there is one engine",
    "preCrop": "images are always cropped to the mask",
    "padDistance": "nothing is resampled",
    "interpolator": "nothing is resampled",
    "label_channel": "masks have one channel",
}

NOT_FOLLOWED: dict[str, Any] = {
    "binCount": None,
    "removeOutliers": None,
    "resampledPixelSpacing": None,
    "resegmentRange": None,
    "resegmentMode": "absolute",
    "resegmentShape": False,
    "minimumROIDimensions": 2,
    "minimumROISize": None,
    "force2D": False,
    "force2Ddimension": 0,
    "distances": [1],
    "weightingNorm": None,
    "symmetricalGLCM": True,
    "voxelArrayShift": 0,
    "sigma": None,
    "start_level": 0,
    "level": 1,
    "wavelet": "coif1",
    "gradientUseSpacing": True,
    "lbp2DRadius": 1,
    "lbp2DSamples": 9,
    "lbp2DMethod": "uniform",
    "lbp3DLevels": 2,
    "lbp3DIcosphereRadius": 1,
    "lbp3DIcosphereSubdivision": 1,
}
"""Settings of PyRadiomics that only its default value may have here."""

IMAGE_TYPES = (
    "Original",
    "LoG",
    "Wavelet",
    "Square",
    "SquareRoot",
    "Logarithm",
    "Exponential",
    "Gradient",
    "LBP2D",
    "LBP3D",
)


@dataclass(frozen=True)
class Parameters:
    """What a parameter file asks for.

    Attributes
    ----------
    settings : Radiomics
        For `extract`; settings that PyRadiomics does not have keep our defaults.
    label : int
        Label of the region in the mask.
    only : tuple of str
        Names of the features, in PyRadiomics' order.
    """

    settings: Radiomics = field(default_factory=Radiomics)
    label: int = 1
    only: tuple[str, ...] = field(default_factory=lambda: tuple(names()))


def read_parameters(path: Path | str) -> Parameters:
    """Read a PyRadiomics parameter file (YAML or JSON).

    PyRadiomics' defaults hold where the file is silent: bin width 25, label 1, no normalisation (scale 1), gldm_a 0,
    all features of the original image. The file's `normalize: true` takes mean and SD from the image it is given:
    read the whole CT (`margin_mm=None`), or the numbers differ from PyRadiomics'.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        fault = error.strerror or "it cannot be opened"
        raise InputError("E_FILE", path, fault, "give a PyRadiomics parameter file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("E_YAML", path, f"not YAML: {error}", "give a PyRadiomics parameter file") from error
    content = _mapping(path, "the file", content)
    for section in content:
        if section == "voxelSetting":
            raise _unsupported(path, section, "features are computed for the region, not a voxel at a time")
        if section not in SECTIONS:
            raise _unknown(path, f"section {section}", SECTIONS)
    _check_image_types(path, _mapping(path, "imageType", content.get("imageType")))
    setting = _mapping(path, "setting", content.get("setting"))
    _check_settings(path, setting)
    label = setting.get("label", 1)
    if type(label) is not int or label < 1:
        raise InputError("E_SETTING_VALUE", path, f"label: {label!r}", "give a positive integer")
    return Parameters(_settings(path, setting), label, _selection(path, content))


def _mapping(path: Path, what: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError("E_SETTING_VALUE", path, f"{what} is {value!r}", "it must be a mapping of names to values")
    return value


def _unsupported(path: Path, key: str, reason: str) -> InputError:
    return InputError("E_SETTING_UNSUPPORTED", path, f"{key} is not supported", reason)


def _unknown(path: Path, key: str, known: Any) -> InputError:
    return InputError("E_SETTING_UNKNOWN", path, f"{key} is not known", f"known: {', '.join(known)}")


def _check_image_types(path: Path, types: Mapping[str, Any]) -> None:
    for name, options in types.items():
        if name not in IMAGE_TYPES:
            raise _unknown(path, f"imageType {name}", IMAGE_TYPES)
        if name != "Original":
            raise _unsupported(path, f"imageType {name}", "only Original is computed")
        for key in _mapping(path, f"imageType {name}", options):
            raise _unsupported(path, f"imageType Original {key}", "put settings under `setting`")


def _check_settings(path: Path, setting: Mapping[str, Any]) -> None:
    for key, value in setting.items():
        if key in FOLLOWED or key in NO_EFFECT:
            continue
        if key not in NOT_FOLLOWED:
            raise _unknown(path, f"setting {key}", sorted(FOLLOWED | NO_EFFECT.keys() | NOT_FOLLOWED.keys()))
        if value != NOT_FOLLOWED[key]:
            default = yaml.safe_dump(NOT_FOLLOWED[key], default_flow_style=True).split("\n")[0]
            raise _unsupported(path, f"setting {key}: {value!r}", f"only PyRadiomics' default ({default}) is")
    ignored = [key for key in setting if key in NO_EFFECT]
    if ignored:
        reasons = "; ".join(dict.fromkeys(NO_EFFECT[key] for key in ignored))
        verb = "has" if len(ignored) == 1 else "have"
        warn("W_SETTING_NO_EFFECT", path, f"{', '.join(ignored)} {verb} no effect here", reasons)


def _settings(path: Path, setting: Mapping[str, Any]) -> Radiomics:
    normalize = setting.get("normalize", False)
    if not isinstance(normalize, bool):
        raise InputError("E_SETTING_VALUE", path, f"normalize: {normalize!r}", "give true or false")
    asked = {"bin_width": setting.get("binWidth", 25.0), "gldm_a": setting.get("gldm_a", 0)}
    if normalize:
        asked |= {"intensities": "zscore", "z_scale": setting.get("normalizeScale", 1.0)}
    try:
        return Radiomics(**asked)
    except ValidationError as error:
        first = error.errors()[0]
        theirs = {"bin_width": "binWidth", "z_scale": "normalizeScale"}
        key = theirs.get(str(first["loc"][0]), str(first["loc"][0]))
        raise InputError("E_SETTING_VALUE", path, f"{key}: {first['input']!r}", first["msg"]) from error


def _selection(path: Path, content: Mapping[str, Any]) -> tuple[str, ...]:
    """Names chosen by `featureClass`: all where it is absent, all of a class that lists none."""
    classes = _mapping(path, "featureClass", content.get("featureClass"))
    if not classes:
        return tuple(names())
    known = {group.name: group.names for group in CLASSES}
    chosen: set[str] = set()
    for name, wanted in classes.items():
        if name == "shape2D":
            raise _unsupported(path, "featureClass shape2D", "it needs force2D")
        if name not in known:
            raise _unknown(path, f"featureClass {name}", known)
        for feature in wanted or [full.removeprefix(f"{name}_") for full in known[name]]:
            if f"{name}_{feature}" not in known[name]:
                raise _unknown(path, f"feature {feature} of {name}", ["those of `ovfrad radiomics --list`"])
            chosen.add(f"{PREFIX}{name}_{feature}")
    return tuple(name for name in names() if name in chosen)
