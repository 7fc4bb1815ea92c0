"""The features of one region, in one straight line: prepare, measure the mask, filter, discretise, count, compute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ovfrad.errors import InputError, warn
from ovfrad.radiomics.catalogue import FeatureClass
from ovfrad.radiomics.classes import BY_NAME, OF_IMAGE, OF_MASK, chosen
from ovfrad.radiomics.filters.image_types import filtered
from ovfrad.radiomics.filters.prefixes import prefixes
from ovfrad.radiomics.firstorder import Distribution
from ovfrad.radiomics.listing import ibsi_tag
from ovfrad.radiomics.parameters import AnySettings, settings_from
from ovfrad.radiomics.processing import Prepared, prepare
from ovfrad.radiomics.processing.source import Place
from ovfrad.radiomics.region import Region, Sample, make_region, sample
from ovfrad.radiomics.settings import Settings, renamed
from ovfrad.radiomics.shape import Form, shape
from ovfrad.radiomics.shape2d import Outline, shape2d
from ovfrad.radiomics.source import AnyImage, Source, source_of, sources_of
from ovfrad.radiomics.texture import SCATTERED, Texture, cooccurrence, neighbourhood, run_lengths, zone_sizes

if TYPE_CHECKING:
    import pandas as pd


def names(settings: AnySettings = None) -> list[str]:
    """Names of the features under the given settings, in PyRadiomics' order.

    >>> len(names()), names()[0], names()[-1]
    (107, 'original_shape_Elongation', 'original_ngtdm_Strength')
    """
    settings = settings_from(settings)
    wanted = chosen(settings)
    of_mask = [group for group in OF_MASK if group is not shape2d or settings.force2d]
    found = [f"original_{name}" for group in of_mask for name in wanted.get(group.name, ())]
    for prefix in _prefixes(settings):
        found += [f"{prefix}_{name}" for group, names in wanted.items() if BY_NAME[group] in OF_IMAGE for name in names]
    return found


def features(
    image: np.ndarray,
    mask: np.ndarray,
    spacing: Sequence[float],
    settings: Settings | None = None,
    *,
    only: Collection[str] | None = None,
    where: str = "mask",
    place: Place | None = None,
    **changes: Any,
) -> dict[str, float]:
    """Compute the features of the voxels inside a mask.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        Intensities, HU. Give the whole image: filters look beyond the mask, and some take its largest value.
    mask : ndarray of bool, shape (k, j, i)
        The region.
    spacing : sequence of float
        Voxel size (k, j, i), mm.
    settings : Settings, optional
        Default: PyRadiomics' 107 features of the original image.
    only : collection of str, optional
        Names (`original_glcm_Contrast`) to compute; all that the settings ask for by default.
    where : str
        Names the case in an error.
    place : Place, optional
        Origin and direction of the image, see there.
    **changes
        Single settings, e.g. `bin_width=10`.

    Returns
    -------
    dict
        Name to value, finite, in the order of `names`.
    """
    settings = replace(settings or Settings(), **changes)
    wanted = _only(settings, only)
    prepared = prepare(image, np.asarray(mask, dtype=bool), _three(spacing, where), settings, where, place)
    region = make_region(prepared.mask, prepared.spacing, settings.distances, settings.flat_axis, where)
    found = _of_mask(prepared, wanted.get("original", {}), settings, where)
    types = settings.image_types
    if only is not None:
        types = {kind: types[kind] for kind in types if any(prefix in wanted for prefix in _prefixes(settings, kind))}
    plane = settings.force2d, settings.force2d_dimension
    images = filtered(
        prepared.image, prepared.spacing, region.box, types, force2d=plane[0], force2d_dimension=plane[1], where=where
    )
    for prefix, inside, options in images:
        own = _own(settings, options)
        here = region
        if (own.distances, own.flat_axis) != (region.distances, region.flat_axis):
            here = make_region(prepared.mask, prepared.spacing, own.distances, own.flat_axis, where)
        found |= _of_image(prefix, inside, here, wanted.get(prefix, wanted[""]), own, where)
    return found


def extract(
    image: AnyImage,
    mask: AnyImage | None = None,
    settings: AnySettings = None,
    *,
    label: int | str | None = None,
    spacing: Sequence[float] | None = None,
    only: Collection[str] | None = None,
) -> pd.Series:
    """Compute the features of a region of interest.

    Parameters
    ----------
    image : path, SimpleITK image, ndarray (k, j, i), Volume or Roi
        CT in HU; other modalities are taken as they are, with a warning where a file says so.
    mask : path, SimpleITK image, ndarray (k, j, i) or Volume
        Label map on the image's grid; None only where `image` is a `Roi`.
    settings : Settings, mapping or path, optional
        A mapping or file as PyRadiomics' parameter files have it. Default: 107 features of the original image.
    label : int, optional
        Label of the region in the mask; default: that of the settings. An array of bool needs none.
    spacing : three floats, optional
        Voxel size (k, j, i) of arrays, mm; default 1.
    only : collection of str, optional
        Names to compute; default: all that the settings ask for.

    Returns
    -------
    Series of float64
        Index: names as PyRadiomics orders them; name: the case. Under the profile `ibsi` the IBSI tag of each name is
        in `attrs["ibsi_tags"]`.

    Examples
    --------
    >>> image = np.arange(64.0).reshape(4, 4, 4)
    >>> float(extract(image, image > 20, {"setting": {"binWidth": 8}})["original_firstorder_Mean"])
    42.0
    """
    asked = settings_from(settings)
    source = source_of(image, mask, asked.label if label is None else label, spacing)
    return _series(source, asked, only)


def extract_many(
    image: AnyImage,
    mask: AnyImage,
    labels: Sequence[int | str | None],
    settings: AnySettings = None,
    *,
    spacing: Sequence[float] | None = None,
    only: Collection[str] | None = None,
) -> pd.DataFrame:
    """Compute the features of several regions of one image, which is read once.

    Parameters
    ----------
    image, mask, settings, spacing, only
        As in `extract`.
    labels : sequence of int
        Labels of the regions in the mask; None: the only one there is.

    Returns
    -------
    DataFrame of float64
        A row a region, index `label`; columns as PyRadiomics orders them.
    """
    import pandas as pd

    asked = settings_from(settings)
    sources = sources_of(image, mask, labels, spacing)
    rows = {number: _series(source, asked, only) for number, source in sources}
    table = pd.DataFrame(rows.values(), index=pd.Index(rows, name="label"))
    table.attrs.update(next(iter(rows.values())).attrs)
    return table


def _series(source: Source, settings: Settings, only: Collection[str] | None) -> pd.Series:
    import pandas as pd

    values = features(
        source.image, source.mask, source.spacing, settings, only=only, where=source.name, place=source.place
    )
    found = pd.Series(values, name=source.name, dtype="float64")
    if settings.profile == "ibsi":
        found.attrs["ibsi_tags"] = {name: ibsi_tag(name, settings.aggregation) for name in values}
    return found


def _three(spacing: Sequence[float], where: str) -> tuple[float, float, float]:
    if len(spacing) != 3:
        raise InputError("E_SPACING", where, f"{len(spacing)} numbers", "give three, mm, in the order (k, j, i)")
    k, j, i = map(float, spacing)
    return k, j, i


def _only(settings: Settings, only: Collection[str] | None) -> dict[str, dict[str, list[str]]]:
    """Wanted names by image prefix ('' for any prefix not listed) and class."""
    wanted = chosen(settings)
    if only is None:
        return {"": wanted, "original": wanted}
    known = set(names(settings))
    asked: dict[str, set[str]] = {}
    for full in [only] if isinstance(only, str) else only:
        if full not in known:
            fault = "the settings do not ask for this feature"
            raise InputError("E_FEATURE", full, fault, "`ovfrad.radiomics.names` lists those they ask for")
        prefix, group, name = full.rsplit("_", 2)
        asked.setdefault(prefix, set()).add(f"{group}_{name}")
    chosen_of = {
        prefix: {group: [name for name in names if name in some] for group, names in wanted.items()}
        for prefix, some in asked.items()
    }
    return {"": {}, **chosen_of}


def _prefixes(settings: Settings, kind: str | None = None) -> list[str]:
    """Prefixes of the features of all image types, or of one."""
    types = settings.image_types if kind is None else {kind: settings.image_types[kind]}
    return prefixes(types, force2d=settings.force2d)


def _own(settings: Settings, options: Mapping[str, Any]) -> Settings:
    """Settings of one image type, which a parameter file may change for it alone."""
    return replace(settings, **renamed(options, "imageType")) if options else settings


def _of_mask(prepared: Prepared, wanted: Mapping[str, list[str]], settings: Settings, where: str) -> dict[str, float]:
    """Features of the mask alone."""
    if not any(wanted.get(group.name) for group in OF_MASK):
        return {}
    region = make_region(prepared.shape_mask, prepared.spacing, where=where)
    found: dict[str, float] = {}
    if names := wanted.get("shape"):
        found |= shape.compute(Form.of(region, int(settings.profile == "ibsi"), where), names)
    if wanted.get("shape2D") and not settings.force2d:
        warn("W_SHAPE2D", where, "shape2D is left out", "it measures a mask of one slice: set force2D")
    elif names := wanted.get("shape2D"):
        found |= shape2d.compute(Outline.of(region, settings.force2d_dimension, where), names)
    return {f"original_{name}": value for name, value in found.items()}


def _of_image(
    prefix: str, inside: np.ndarray, region: Region, wanted: Mapping[str, list[str]], settings: Settings, where: str
) -> dict[str, float]:
    """Features of one image within the region's box."""
    if not any(wanted.get(group.name) for group in OF_IMAGE):
        return {}
    found = sample(
        region, inside, settings.bin_width, settings.bin_count, _start(prefix, inside, region, settings), where, prefix
    )
    if prefix == "original" and settings.bins is not None:
        _check_bins(int(found.grey[-1]), settings, where)
    texture = Texture.of(settings)
    values: dict[str, float] = {}
    for group, source in _inputs(found, texture, wanted, settings, where):
        values |= group.compute(source, wanted[group.name])
    return {f"{prefix}_{name}": value for name, value in values.items()}


def _inputs(
    found: Sample, texture: Texture, wanted: Mapping[str, list[str]], settings: Settings, where: str
) -> list[tuple[FeatureClass, Any]]:
    """What each wanted class is computed from, in PyRadiomics' order."""
    inputs: dict[str, Any] = {}
    if wanted.get("firstorder"):
        normal = 3.0 if settings.profile == "ibsi" else 0.0  # IBSI: excess kurtosis
        inputs["firstorder"] = Distribution.of(found, settings.voxel_array_shift, normal)
    if wanted.get("glcm"):
        inputs["glcm"] = cooccurrence(found, texture, where)
    if wanted.get("glrlm"):
        inputs["glrlm"] = run_lengths(found, texture, where)
    if wanted.get("glszm"):
        inputs["glszm"] = zone_sizes(found, texture)
    if wanted.get("gldm") or wanted.get("ngtdm"):
        inputs["gldm"], inputs["ngtdm"] = neighbourhood(found, texture)
        if wanted.get("ngtdm") and not inputs["ngtdm"]:
            fault = f"no two of the mask's {found.values.size} voxels are neighbours"
            raise InputError("E_ROI_SCATTERED", where, fault, SCATTERED)
    return [(BY_NAME[name], inputs[name]) for name in wanted if wanted[name] and name in inputs]


def _start(prefix: str, inside: np.ndarray, region: Region, settings: Settings) -> float | None:
    """Lower edge of the first bin where IBSI says so: the lower bound of the range, or the minimum."""
    if settings.profile != "ibsi":
        return None
    low = -np.inf
    if prefix == "original" and settings.resegment_range is not None and settings.resegment_mode == "absolute":
        low = settings.resegment_range[0]
    if settings.bin_count is not None or low == -np.inf:  # a count divides the intensities there are; Q3RU, K15C
        return float(inside[region.inside].min())
    return low


def _check_bins(bins: int, settings: Settings, where: str) -> None:
    """Warn of a number of grey levels that textures are not made for."""
    low, high = settings.bins or (1, bins)
    if not low <= bins <= high:
        now = f"now {settings.bin_width:g}" if settings.bin_count is None else f"{settings.bin_count} bins asked for"
        advice = f"textures need {low} to {high}: change the bin width ({now})"
        warn("W_BINS", where, f"{bins} grey-level bin{'s' if bins > 1 else ''} inside the mask", advice)
