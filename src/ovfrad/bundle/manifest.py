"""manifest.json: what a bundle says of itself on one readable page, its structure, and a digest of it.

Every number that a prediction prints or decides by, and is in no file of its own, stands here. The digest, and the
hash of each other file, find damage and careless edits. They are no signature: who means to falsify a bundle can
write new ones.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ovfrad.errors import InputError

#: 2: the manifest has a digest of itself, and the input contract tells what training held. 1: without either.
FORMAT = 2
NAME = "manifest.json"
AGAIN = "take the bundle from its source again"


class Part(BaseModel):
    """Base of every part: an unknown key, another type and a number that is none are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Model(Part):
    """The classifier, and the recalibration of its probabilities."""

    name: str
    view: Literal["fused", "dense", "score"]
    columns: list[str]
    point: dict[str, Any]
    temperature: float | None
    offsets: list[float] | None
    notes: list[str]


class Backbone(Part):
    """Where the network of the arm came from."""

    description: str
    layout: str | None
    sha256: str | None


class Features(Part):
    """A new case of a study that started from a feature table."""

    kind: Literal["features"]
    columns: list[str] = Field(min_length=1)


class Limits(Part):
    """One measure of the masks of training: its range, and the limit of each level."""

    range: list[float] = Field(min_length=2, max_length=2)
    levels: dict[str, float]


class Images(Part):
    """A new case of a study of images."""

    kind: Literal["CT and mask"]
    ct: str
    mask: str
    features: str
    spacing_mm: float = Field(gt=0)
    metal: str
    contrast: str
    volume_ml: Limits
    diameter_mm: Limits
    seen: dict[Literal["metal", "contrast"], int]
    vertebrae: list[str]
    batches: list[str]


class Training(Part):
    """What every prediction says of its model."""

    batch_column: Literal["scanner", "center"] | None
    rows: int = Field(ge=1)
    patients: int = Field(ge=1)
    synthetic: bool
    audit: str | None
    summary: str


class Manifest(Part):
    """The whole page; `files` has the hash of each other file, `digest` that of everything else here."""

    format: Literal[2]
    notice: str
    ovfrad: str
    created: str
    recipe: str
    arm: str
    classes: list[str] = Field(min_length=2)
    outcome: str
    model: Model
    backbone: Backbone | None
    input: Annotated[Features | Images, Field(discriminator="kind")]
    training: Training
    not_seen: list[str]
    files: dict[str, str]
    digest: str

    @model_validator(mode="after")
    def _fits(self) -> Manifest:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class stands twice")
        offsets = self.model.offsets
        if (offsets is None) != (self.model.temperature is None):
            raise ValueError("temperature and offsets go together")
        if offsets is not None and len(offsets) != len(self.classes):
            raise ValueError(f"{len(offsets)} offsets for {len(self.classes)} classes")
        return self


def digest(content: dict[str, Any]) -> str:
    """Sha256 of all but `digest`, as JSON with sorted keys and no blanks: layout does not count.

    >>> digest({"a": 1, "digest": "x"}) == digest({"a": 1}) != digest({"a": 2})
    True
    """
    kept = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write the page with its format and digest; what `read` would refuse is not written."""
    whole = json.loads(json.dumps({"format": FORMAT} | content, allow_nan=False))
    whole["digest"] = digest(whole)
    Manifest.model_validate(whole)
    write_json(folder / NAME, whole)


def read(folder: Path) -> Manifest:
    """Read the page; one that is missing, of another format, changed, or without what predictions need is refused."""
    path = folder / NAME
    if not path.is_file():
        raise InputError(
            "E_BUNDLE_MISSING", folder, "is no bundle (no manifest.json)", "give the folder `bundle` of a run"
        )
    content = read_json(path)
    if isinstance(content, dict) and content.get("format") == 1:
        fault = f"has format 1, whose manifest could be changed unnoticed; this version reads format {FORMAT}"
        raise InputError("E_BUNDLE_FORMAT", folder, fault, "write it anew with `ovfrad fit`")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        fault = f"has another format than {FORMAT}"
        raise InputError("E_BUNDLE_FORMAT", folder, fault, "use the version of ovfrad that wrote it")
    if content.get("digest") != digest(content):
        raise InputError("E_BUNDLE_HASH", folder, f"{NAME} was changed", AGAIN)
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        fault = f"its manifest is not complete and sound ({where}: {first['msg']})"
        raise InputError("E_BUNDLE_FORMAT", folder, fault, AGAIN) from None


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Content of a JSON file of a bundle."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        fault = f"not readable ({type(error).__name__})"
        raise InputError("E_BUNDLE_FILE", path, fault, AGAIN) from None
