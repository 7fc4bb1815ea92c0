"""PyRadiomics' parameter files (YAML or JSON), read as they are.

A key that is not known, or that this engine cannot follow, is refused by its name; a key that has no effect here is
accepted with a warning. Five keys are ours: `profile`; `aggregation`, `outlierSigma` and `roundIntensities` for the
profile `ibsi`; and `bins`, the range of bin numbers outside which a warning is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ovfrad.errors import InputError, warn
from ovfrad.radiomics.filters.options import OPTIONS, UNSUPPORTED
from ovfrad.radiomics.rules import shown, unknown
from ovfrad.radiomics.settings import OF_IMAGE_TYPE, OURS, Settings

if TYPE_CHECKING:
    import yaml

AnySettings = Settings | Mapping[str, Any] | str | PathLike[str] | None
"""Settings, a mapping in the form of PyRadiomics' parameter file, or the path of such a file."""

SECTIONS = ("imageType", "featureClass", "setting")

NO_EFFECT = {
    "additionalInfo": "no diagnostics are written",
    "geometryTolerance": "grids are compared in voxels",
    "correctMask": "a mask on another grid is refused",
    "enableCExtensions": "there is one engine",
    "label_channel": "masks have one channel",
}
"""Keys that are accepted with a warning, and why they change nothing."""

OF_FILTERS = {key: kind for kind, options in OPTIONS.items() for key in options}
"""Settings of filters, which PyRadiomics accepts under `setting` too -> the image type they belong to."""


def settings_from(given: AnySettings, **changes: Any) -> Settings:
    """Settings in any of their forms; `changes` stand in for what is given, before it is checked as a whole.

    >>> settings_from({"setting": {"binWidth": 10}}).bin_width
    10.0
    >>> settings_from({"setting": {"outlierSigma": 3}}, profile="ibsi").outlier_sigma
    3.0
    """
    if given is None:
        return Settings(**changes)
    if isinstance(given, Settings):
        return replace(given, **changes)
    if isinstance(given, Mapping):
        return read_mapping(given, "settings", **changes)
    if isinstance(given, str | PathLike):
        return read_parameters(given, **changes)
    raise InputError(
        "E_USAGE", "settings", f"{type(given).__name__} is no settings", "give a mapping, path or Settings"
    )


def read_parameters(path: str | PathLike[str], **changes: Any) -> Settings:
    """Read a parameter file; PyRadiomics' defaults hold where it is silent."""
    import yaml

    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _loader())  # a SafeLoader
    except OSError as error:
        fault = error.strerror or "it cannot be opened"
        raise InputError("E_FILE", path, fault, "give a PyRadiomics parameter file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError("E_YAML", path, f"not YAML: {error}", "give a PyRadiomics parameter file") from error
    return read_mapping(_mapping(path, "the file", content), path, **changes)


@cache
def _loader() -> type[yaml.SafeLoader]:
    """Safe YAML 1.1 with two things of 1.2, which PyRadiomics reads: 1e-3 is a number, and no key stands twice."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                    if key.value in seen:
                        fault = f"{key.value} stands twice"
                        raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
                    seen.add(key.value)
            return super().construct_mapping(node, deep)

    number = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    return Loader


def read_mapping(content: Mapping[str, Any], where: str | Path, **changes: Any) -> Settings:
    """Settings from the content of a parameter file and `changes` to them; `where` names it in an error."""
    for section in content:
        if section == "voxelSetting":
            raise _unsupported(where, section, "features are computed for the region, not a voxel at a time")
        if section == "inputImage":
            raise InputError("E_SETTING_UNKNOWN", where, "inputImage is a name of PyRadiomics 1", "write imageType")
        if section not in SECTIONS:
            raise unknown(where, f"section {section}", SECTIONS)
    setting = _mapping(where, "setting", content.get("setting"))
    types = _image_types(where, content, setting)
    asked = _mapping(where, "featureClass", content.get("featureClass"))
    chosen = {str(name): wanted if wanted != [] else None for name, wanted in asked.items()} or None
    own = {"label": 1} | {OURS[key]: value for key, value in _effective(where, setting).items()} | changes
    try:
        return Settings(image_types=types, features=chosen, **own)
    except InputError as error:
        raise InputError(error.code, where, f"{error.where}: {error.fault}", error.remedy) from None


def _mapping(where: str | Path, what: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(
            "E_SETTING_VALUE", where, f"{what} is {shown(value)}", "it must be a mapping of names to values"
        )
    return value


def _unsupported(where: str | Path, key: str, reason: str) -> InputError:
    return InputError("E_SETTING_UNSUPPORTED", where, f"{key} is not supported", reason)


def _effective(where: str | Path, setting: Mapping[str, Any]) -> dict[str, Any]:
    """Known settings, those of filters and those without effect left out."""
    ignored = [key for key in setting if key in NO_EFFECT]
    if ignored:
        reasons = "; ".join(dict.fromkeys(NO_EFFECT[key] for key in ignored))
        verb = "has" if len(ignored) == 1 else "have"
        warn("W_SETTING_NO_EFFECT", where, f"{', '.join(ignored)} {verb} no effect here", reasons)
    own = {key: value for key, value in setting.items() if key not in NO_EFFECT and key not in OF_FILTERS}
    for key in own:
        if str(key).startswith("lbp3D"):
            raise _unsupported(where, f"setting {key}", UNSUPPORTED["LBP3D"])
        if key not in OURS:
            raise unknown(
                where, f"setting {key}", [*OURS, *OF_FILTERS, *NO_EFFECT], "see `ovfrad radiomics --settings-help`"
            )
    return own


def _image_types(
    where: str | Path, content: Mapping[str, Any], setting: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Image types, each with the settings that are its own."""
    asked = _mapping(where, "imageType", content.get("imageType")) or {"Original": {}}
    types: dict[str, dict[str, Any]] = {}
    for kind, given in asked.items():
        if kind in UNSUPPORTED:
            raise _unsupported(where, f"imageType {kind}", UNSUPPORTED[kind])
        if kind not in OPTIONS:
            raise unknown(where, f"imageType {kind}", OPTIONS)
        given = _mapping(where, f"imageType {kind}", given)
        shared = {key: value for key, value in setting.items() if OF_FILTERS.get(key) == kind}
        used = {key: value for key, value in given.items() if key in OPTIONS[kind]}
        types[kind] = {**shared, **used, **_own(where, kind, {k: v for k, v in given.items() if k not in used})}
    return types


def _own(where: str | Path, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings beside the filter's that an image type has for itself; what comes before filters is the same for all."""
    known = _effective(where, given)
    early = [key for key in known if OURS[key] not in (*OF_IMAGE_TYPE, "profile")]
    if early:
        fault = f"{', '.join(early)} under imageType {kind} {'has' if len(early) == 1 else 'have'} no effect"
        warn("W_SETTING_NO_EFFECT", where, fault, "give what comes before filters under `setting`")
    return {key: value for key, value in known.items() if key not in early}
