"""study.yaml: read, resolve under a recipe, print, hash."""

from __future__ import annotations

import hashlib
import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ovfrad.errors import InputError
from ovfrad.study.recipes import defaults
from ovfrad.study.settings import StudySettings

#: A study file is a page of text; anything larger is another file, or an attack by nested aliases.
MAX_BYTES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without aliases and without repeated keys, both of which change meaning silently."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"key {key!r} stands twice (line {node.start_mark.line + 1} on)")
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Mapping in a YAML file, refused in one line if it is none."""
    if not path.is_file():
        raise InputError("E_FILE_MISSING", path, "there is no such file", "give the path of a study.yaml")
    if path.stat().st_size > MAX_BYTES:
        raise InputError("E_STUDY_YAML", path, f"larger than {MAX_BYTES:,} bytes", "give a study.yaml")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        fault = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError("E_STUDY_YAML", path, f"not readable as YAML ({fault})", "mend the file") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError("E_STUDY_YAML", path, "holds no settings", "write `key: value` lines; see `ovfrad init`")
    return content


def resolve(given: dict[str, Any], where: str | Path, recipe: str | None = None) -> StudySettings:
    """Settings given, laid over the defaults of `recipe` (else of the recipe the file names, else `sound`)."""
    given = dict(given)
    if recipe is not None:
        given["recipe"] = recipe
    try:
        settings = StudySettings.model_validate(_overlay(defaults(str(given.get("recipe", "sound"))), given))
    except ValidationError as error:
        raise _refusal(error, where) from None
    return _without_outcome(settings)


def _without_outcome(settings: StudySettings) -> StudySettings:
    """The settings without the outcome among clinical columns that the file did not ask for."""
    clinical = settings.clinical
    kept = tuple(name for name in clinical.columns if name not in settings.outcome_columns)
    if "columns" in clinical.model_fields_set or kept == clinical.columns:
        return settings
    return settings.model_copy(update={"clinical": clinical.model_copy(update={"columns": kept})})


def _overlay(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if both else value
    return merged


def _refusal(error: ValidationError, where: str | Path) -> InputError:
    """First fault of a validation as one line; an unknown key names its neighbours."""
    fault = error.errors()[0]
    place = [str(part) for part in fault["loc"]]
    key = ".".join(place) or "the file"
    if fault["type"] == "extra_forbidden":
        known = _keys_at(place[:-1])
        near = get_close_matches(place[-1], known, n=1)
        hint = f"did you mean {near[0]!r}? Known there" if near else "known there"
        return InputError("E_SETTING_UNKNOWN", where, f"unknown setting {key!r}", f"{hint}: {', '.join(known)}")
    message = fault["msg"].removeprefix("Value error, ")
    found = "" if isinstance(fault["input"], dict) else f" (found {fault['input']!r})"
    return InputError("E_SETTING_VALUE", where, f"{key}: {message}{found}"[:300], "see `ovfrad study schema`")


def _keys_at(place: list[str]) -> list[str]:
    model: Any = StudySettings
    for part in place:
        fields = getattr(model, "model_fields", {})
        annotation = fields[part].annotation if part in fields else None
        inner = [arg for arg in get_args(annotation) if isinstance(arg, type) and issubclass(arg, BaseModel)]
        model = annotation if isinstance(annotation, type) else inner[0] if inner else model
    return list(getattr(model, "model_fields", {}))


def to_yaml(settings: StudySettings) -> str:
    """Resolved settings as YAML, every default written out."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def sha256(settings: StudySettings) -> str:
    """Hash of the resolved settings, independent of order and comments in the file."""
    return hashlib.sha256(json.dumps(settings.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def said_sha256(settings: StudySettings) -> str:
    """Hash of the settings that differ from their defaults, the same under a version that adds some."""
    return hashlib.sha256(
        json.dumps(settings.model_dump(mode="json", exclude_defaults=True), sort_keys=True).encode()
    ).hexdigest()
