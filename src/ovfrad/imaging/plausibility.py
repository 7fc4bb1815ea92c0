"""Is it a CT in HU, is the region a vertebral body? Each rule with the reason behind it.

A NIfTI file does not say its modality, so the values must: any CT of a trunk has fat (about -100 HU), soft tissue
(0 to 80) and bone (above 150). A window that misses fat, or a scale without a negative value, is no HU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ovfrad.errors import InputError
from ovfrad.imaging.source import Note, Source

HU_LOWEST, HU_HIGHEST = -4096.0, 32767.0
"""Stored values beyond these are no HU: paddings go to -3024, extended scales end at 30,710 (metal)."""
EXTENDED_LOWEST = (-8192.0, -10240.0)
"""Where extended scales of HU begin; scanners fill with it what lies outside the field of view."""
EXTENDED_STEP = 10.0
"""HU a stored value of extended scales of 12 bits."""
PADDING_HU = -1500.0
"""Below air with noise and overshoot of resampling: padding outside the scanner's field of view."""
FAT_HU, FAT_SHARE = -30.0, 0.001
"""A CT has at least this share of voxels below fat's upper limit; MR, PET, masks and unscaled CT have none."""
BONE_HU = 150.0
"""Above this lies bone (Hounsfield); an image that never reaches it shows no vertebra."""
SOFT_HU, SOFT_SHARE, AIR_HU = 250.0, 0.2, -900.0
"""Share of what is not air that lies within ±250 HU (fat, muscle, blood, marrow): .63 to .93 in the CTs tried;
a wrong rescale moves it out."""
CUT_BELOW, CUT_ABOVE, CUT_HU, CUT_VOXELS = 0.02, 0.0005, 2000.0, 20
"""Shares of the voxels that have the very lowest or highest value when a window cut the values off, and the least
number of them, as in a small crop one voxel is such a share; scanners end at 3071 HU or above."""
DENSE_HU, DENSE_SHARE = 900.0, 0.1
"""Cortical bone and metal; above this share (real CTs have about a hundredth) the image is turned round."""
NARROW_SHARE = 0.99
"""As `SOFT_SHARE`, from above: with hardly a value outside ±250 HU there is no cortical bone, or HU are too small."""
AIR_BETWEEN, AIR_STEP, AIR_STEPS, AIR_SHARE = (-700.0, -185.0), 5.0, 6, 0.15
"""HU between which no tissue makes a peak, as lung lies below; such a peak, 30 HU wide, and its share of the
voxels is air of a wrong scale: air of the CTs tried gives 0.2 to 0.5, the rest of them up to 0.05."""
BELOW_AIR, BELOW_SHARE, PADDINGS = -1100.0, 0.05, 2
"""Below air with its noise lie paddings, each of one value; a greater share of other values is air of a wrong scale."""
EVEN_SHARE, EVEN_VOXELS = 0.25, 100
"""Share of a region with one and the same value, and of how many voxels: noise leaves about two hundredths."""
FEW_LEVELS, MANY_VOXELS = 256, 50_000
"""So few different values in so many voxels are a picture exported with 8 bits."""
ROI_LOWEST, ROI_HIGHEST = -100.0, 2500.0
"""Mean HU of a region: below is fat, lung or air, above is metal; no bone."""
ROI_LOW, ROI_HIGH = 0.0, 1000.0
"""Mean HU of a vertebral body: osteoporotic ones reach down to about 0, cement and dense sclerosis exceed 1000."""
REMEDY = "give the original CT in HU, its rescale applied"


def check_ct(path: Path, values: NDArray[Any], bits: int, is_dicom_ct: bool = False) -> None:
    """Refuse values that no CT of a spine has.

    Parameters
    ----------
    path : Path
        Named in the message.
    values : ndarray
        A fair sample of the image's values, any shape.
    bits : int
        Bits of a stored voxel.
    is_dicom_ct : bool
        The header says CT, so only the scale is judged.
    """
    scale = values[~np.isin(values, EXTENDED_LOWEST)]
    low, high = (float(scale.min()), float(scale.max())) if scale.size else EXTENDED_LOWEST
    if low < HU_LOWEST or high > HU_HIGHEST:
        raise InputError("E_CT_VALUES", path, f"values from {low:g} to {high:g} are no HU", REMEDY)
    if bits == 8:
        raise InputError("E_CT_8BIT", path, f"stores 8 bits a voxel, {low:g} to {high:g}", REMEDY)
    scanned = values[values >= PADDING_HU]  # padding is no fat
    fat = float((scanned < FAT_HU).mean()) if scanned.size else 0.0
    if fat < FAT_SHARE and is_dicom_ct:
        raise InputError(
            "E_CT_SCALE", path, f"values run from {low:g} to {high:g} HU, and hardly one lies below {FAT_HU:g}",
            f"every CT shows fat there; {REMEDY}",
        )  # fmt: skip
    if fat < FAT_SHARE:
        raise InputError(
            "E_NOT_CT", path,
            f"values run from {low:g} to {high:g} and {100 * fat:.2g} % lie below {FAT_HU:g}, where a CT shows fat",
            f"{REMEDY}; MR is not read",
        )  # fmt: skip
    if high < BONE_HU:
        raise InputError("E_NOT_CT", path, f"no value reaches {BONE_HU:g} HU, where bone begins", REMEDY)
    matter = values[values > AIR_HU]
    soft = float((np.abs(matter) < SOFT_HU).mean()) if matter.size else 0.0
    if soft < SOFT_SHARE:
        raise InputError(
            "E_CT_SCALE", path, f"only {100 * soft:.2g} % of what is not air lies within ±{SOFT_HU:g} HU",
            f"soft tissue and marrow lie there; {REMEDY}",
        )  # fmt: skip
    dense = float((values > DENSE_HU).mean())
    if dense > DENSE_SHARE:
        raise InputError(
            "E_CT_SCALE", path, f"{100 * dense:.2g} % of its voxels lie above {DENSE_HU:g} HU",
            f"only dense bone and metal do, so sign or scale is wrong; {REMEDY}",
        )  # fmt: skip
    levels = np.unique(values)
    coarse = is_dicom_ct and not (levels % EXTENDED_STEP).any()
    if values.size > MANY_VOXELS and levels.size <= FEW_LEVELS and not coarse:
        raise InputError(
            "E_CT_8BIT", path, f"{values.size} voxels hold only {levels.size} different values",
            f"that is a picture of 8 bits; {REMEDY}",
        )  # fmt: skip


def clipped(path: Path, values: NDArray[Any]) -> tuple[Note, ...]:
    """Note values cut off at a limit, as exports for display leave them; air at -1000 HU or below is no limit."""
    low, high = float(values.min()), float(values.max())
    at_low, at_high = (int(np.count_nonzero(values == end)) for end in (low, high))
    notes = []
    if low > AIR_HU and at_low > max(CUT_BELOW * values.size, CUT_VOXELS):
        notes.append(f"{100 * at_low / values.size:.2g} % of its voxels have the lowest value, {low:g} HU")
    if high < CUT_HU and at_high > max(CUT_ABOVE * values.size, CUT_VOXELS):
        notes.append(f"{100 * at_high / values.size:.2g} % of its voxels have the highest value, {high:g} HU")
    return tuple(("W_CT_CLIPPED", path, note, "its values seem cut off for display") for note in notes)


def odd_values(path: Path, values: NDArray[Any]) -> tuple[Note, ...]:
    """Note values that pass for HU, but of which air or bone lies where it does not in any CT."""
    notes = []
    between, edges = AIR_BETWEEN, np.arange(AIR_BETWEEN[0], AIR_BETWEEN[1] + AIR_STEP, AIR_STEP)
    peaks = np.convolve(np.histogram(values, edges)[0], np.ones(AIR_STEPS, int), "valid")
    if (share := peaks.max() / values.size) > AIR_SHARE:
        middle = between[0] + AIR_STEP * (int(peaks.argmax()) + AIR_STEPS / 2)
        notes.append(f"{100 * share:.2g} % of its voxels lie near {middle:g} HU, like air, which has -1000 HU")
    low = np.rint(values[values < BELOW_AIR])
    rest = low.size - np.sort(np.unique(low, return_counts=True)[1])[-PADDINGS:].sum()
    if rest > BELOW_SHARE * values.size:
        notes.append(f"{100 * rest / values.size:.2g} % of its voxels lie below {BELOW_AIR:g} HU and are no padding")
    matter = values[values > AIR_HU]
    if (soft := float((np.abs(matter) < SOFT_HU).mean())) > NARROW_SHARE:
        notes.append(f"{100 * soft:.4g} % of what is not air lies within ±{SOFT_HU:g} HU, and cortical bone lies above")
    return tuple(
        ("W_CT_SCALE", path, note, "slope or intercept may be wrong: compare with the original") for note in notes
    )


def _filled(mask_path: Path, inside: NDArray[np.float32]) -> list[Note]:
    """Refuse or note a region without noise: a program filled what was missing."""
    some = inside[:: max(1, inside.size // 1_000_000)]
    nearest = np.rint(some).astype(np.int64)
    value = int(np.bincount(nearest - nearest.min()).argmax() + nearest.min())
    share = float((some == value).mean())
    if inside.size < EVEN_VOXELS or share <= EVEN_SHARE:
        return []
    fault = f"covers voxels of which {100 * share:.3g} % have one value, {value} HU"
    if share == 1:
        raise InputError("E_ROI_VALUES", mask_path, fault, "tissue has noise: give the original CT, whole")
    return [("W_ROI_VALUES", mask_path, fault, "tissue has noise: the CT may be filled or cut off there")]


def check_region(ct_path: Path, mask_path: Path, inside: NDArray[np.float32]) -> list[Note]:
    """Refuse a region that is no bone; return what is doubtful as arguments of `ovfrad.errors.warn`."""
    if float(inside.min()) < PADDING_HU:
        raise InputError(
            "E_ROI_PADDING", mask_path, f"covers values of {float(inside.min()):g} HU, outside the scanned field",
            "draw the mask inside the field of view",
        )  # fmt: skip
    mean = float(inside.mean(dtype=np.float64))
    if not ROI_LOWEST <= mean <= ROI_HIGHEST:
        raise InputError(
            "E_ROI_VALUES", mask_path, f"covers tissue of {mean:.0f} HU on average in {ct_path.name}, which is no bone",
            "check that mask and CT belong together",
        )  # fmt: skip
    notes = _filled(mask_path, inside)
    if not ROI_LOW <= mean <= ROI_HIGH:
        fault = f"covers tissue of {mean:.0f} HU on average"
        said = f"a vertebral body has {ROI_LOW:g} to {ROI_HIGH:g} HU; look at the mask"
        notes.append(("W_ROI_VALUES", mask_path, fault, said))
    return notes


def odd_scale(source: Source, values: NDArray[Any]) -> tuple[Note, ...]:
    """Note a scale that no CT export gives: it may be a damaged byte of the header.

    CT comes in steps of 1 HU above -1024 or so, a float scaled to integers uses their range, a float needs no scale.
    """
    slope, intercept = source.slope, source.intercept
    if (slope, intercept) == (1, 0):
        return ()
    if not source.floats and slope == 1 and intercept <= AIR_HU and intercept == int(intercept):
        return ()
    used = (float(values.max()) - float(values.min())) / abs(slope) / (2.0**source.bits - 1)
    if not source.floats and 0 < slope < 1 and used > 0.4:
        return ()
    stored = "real numbers" if source.floats else "integers"
    return (
        (
            "W_NIFTI_SCALE", source.path, f"{stored} are multiplied by {slope:.6g} and {intercept:.6g} is added",
            "compare with the original",
        ),
    )  # fmt: skip
