"""The cases of the comparison with PyRadiomics: a region and a parameter file each, for the generator and the tests.

numpy and SimpleITK alone, so that the environment of PyRadiomics and ours build the same. A case is (region,
parameters); parameters are what a PyRadiomics parameter file says. Synthetic regions are those of regions.py; the
real ones are read from the folder of test data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CLASSES = ("firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm", "shape")
BOTH = ("anisotropic", "border")


class Case(NamedTuple):
    """One extraction."""

    region: str
    parameters: dict[str, Any]


def parameters(image_types: dict | None = None, classes: tuple[str, ...] = CLASSES, **setting: Any) -> dict[str, Any]:
    """A parameter file; the classes are always named, since a file without them also asks for shape2D."""
    return {
        "imageType": image_types or {"Original": {}},
        "featureClass": dict.fromkeys(classes),
        "setting": setting,
    }


ALL_TYPES = {
    "Original": {},
    "LoG": {"sigma": [1.0, 2.0, 3.0, 4.0, 5.0]},
    "Wavelet": {},
    "Square": {},
    "SquareRoot": {},
    "Logarithm": {},
    "Exponential": {},
    "Gradient": {},
}
LBP = {"LBP2D": {"binWidth": 1.0}}
TORSO = {"L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24}
"""Labels of `vertebrae_verse.nii.gz`."""

IMAGE_TYPES = {
    name: Case(name, parameters(ALL_TYPES, label=TORSO.get(name, 1)))
    for name in ("vertebra", *TORSO, "sarcoma", "anisotropic", "border", "chessboard")
}

FLAT_TYPES = {"LoG": {"sigma": [1.0, 3.0]}, "Wavelet": {}, "Gradient": {}} | LBP
IMAGE_TYPES_2D = {
    f"{name}_{axis}": Case(name, parameters(FLAT_TYPES, label=TORSO.get(name, 1), force2D=True, force2Ddimension=axis))
    for name, axis in (("vertebra", 0), ("L3", 2), ("sarcoma", 0), ("anisotropic", 1), ("border", 0))
}


def _matrix() -> dict[str, Case]:
    """Settings one by one and in the pairs that touch each other, each on two small regions."""
    filtered = {"Original": {}, "LoG": {"sigma": [2.0]}, "Wavelet": {}}
    few = ("firstorder", "glcm")
    log = {"LoG": {"sigma": [1.5]}}
    settings: dict[str, dict[str, Any]] = {
        "defaults": {},
        "bin_width_12": {"binWidth": 12.5},
        "bin_count_64": {"binCount": 64},
        "bin_count_7": {"binCount": 7},
        "resample_2": {"resampledPixelSpacing": [2, 2, 2]},
        "resample_up": {"resampledPixelSpacing": [0.6, 0.5, 1.1]},
        "resample_mixed": {"resampledPixelSpacing": [1.6, 0.5, 2.0]},
        "resample_in_plane": {"resampledPixelSpacing": [1.25, 1.25, 0]},
        "resample_linear": {"resampledPixelSpacing": [0.8, 1.3, 1.7], "interpolator": "sitkLinear"},
        "resample_nearest": {"resampledPixelSpacing": [0.8, 1.3, 1.7], "interpolator": "sitkNearestNeighbor"},
        "resample_no_interpolator": {"resampledPixelSpacing": [2, 2, 2], "interpolator": None},
        "pad_0": {"resampledPixelSpacing": [1.2, 1.2, 1.2], "padDistance": 0},
        "normalize": {"normalize": True, "binWidth": 0.1},
        "normalize_scale": {"normalize": True, "normalizeScale": 100, "binWidth": 20.0},
        "normalize_outliers": {"normalize": True, "normalizeScale": 100, "removeOutliers": 1.5, "binWidth": 20.0},
        "normalize_resample": {"normalize": True, "normalizeScale": 100, "resampledPixelSpacing": [1.4, 1.4, 1.4]},
        "absolute": {"resegmentRange": [-60.0, 90.0]},
        "absolute_low": {"resegmentRange": [-20.0]},
        "absolute_swapped": {"resegmentRange": [90.0, -60.0], "resegmentMode": "absolute"},
        "relative": {"resegmentRange": [-0.3, 0.7], "resegmentMode": "relative"},
        "sigma": {"resegmentRange": [-1.0, 1.5], "resegmentMode": "sigma"},
        "resegment_shape": {"resegmentRange": [-60.0, 90.0], "resegmentShape": True},
        "resegment_normalize_resample": {
            "normalize": True,
            "normalizeScale": 100,
            "resampledPixelSpacing": [1.5, 1.5, 1.5],
            "resegmentRange": [-2.0, 2.0],
            "resegmentMode": "sigma",
        },
        "flat_0": {"force2D": True, "force2Ddimension": 0},
        "flat_1": {"force2D": True, "force2Ddimension": 1},
        "flat_2": {"force2D": True, "force2Ddimension": 2},
        "flat_distances": {"force2D": True, "force2Ddimension": 0, "distances": [1, 2]},
        "flat_weighted": {"force2D": True, "force2Ddimension": 2, "weightingNorm": "manhattan"},
        "distances_1_2": {"distances": [1, 2]},
        "distances_2": {"distances": [2]},
        "distances_3_1": {"distances": [3, 1]},
        "euclidean": {"weightingNorm": "euclidean"},
        "manhattan": {"weightingNorm": "manhattan"},
        "infinity": {"weightingNorm": "infinity"},
        "no_weighting": {"weightingNorm": "no_weighting"},
        "euclidean_distances": {"weightingNorm": "euclidean", "distances": [1, 2]},
        "one_sided": {"symmetricalGLCM": False},
        "one_sided_weighted": {"symmetricalGLCM": False, "weightingNorm": "manhattan"},
        "one_sided_flat": {"symmetricalGLCM": False, "force2D": True, "distances": [1, 2]},
        "gldm_a_1": {"gldm_a": 1},
        "gldm_a_3": {"gldm_a": 3, "distances": [1, 2]},
        "shift": {"voxelArrayShift": 300},
        "shift_normalize": {"voxelArrayShift": 300, "normalize": True, "normalizeScale": 100},
        "pre_crop": {"preCrop": True},
        "minimum_size": {"minimumROISize": 20, "minimumROIDimensions": 3},
    }
    cases = {
        f"{name}@{region}": Case(region, parameters(**setting)) for name, setting in settings.items() for region in BOTH
    }
    shrunk = {"resampledPixelSpacing": [1.2, 1.2, 1.2]}
    typed: dict[str, tuple[dict, dict[str, Any]]] = {
        "pre_crop_types": (filtered, {"preCrop": True, "padDistance": 2}),
        "pre_crop_scaled": ({"Square": {}, "Logarithm": {}, "Exponential": {}}, {"preCrop": True}),
        "resample_types": (filtered, shrunk),
        "pad_10_types": (filtered, shrunk | {"padDistance": 10}),
        "normalize_types": (filtered | {"Square": {}, "SquareRoot": {}}, {"normalize": True, "normalizeScale": 100}),
        "resegment_types": (filtered, {"resegmentRange": [-60.0, 90.0]}),
        "bin_width_by_type": (
            {"Original": {}, "LoG": {"sigma": [2.0], "binWidth": 5.0}, "Wavelet": {"binWidth": 10.0}},
            {"binWidth": 40.0},
        ),
        "bin_count_by_type": ({"Original": {"binCount": 16}, "Gradient": {"binCount": 8}, "Square": {}}, {}),
        "settings_by_type": (
            {"Original": {"distances": [2], "weightingNorm": "euclidean", "voxelArrayShift": 100}, "Square": {}},
            {},
        ),
        "sigma_in_setting": ({"LoG": {}}, {"sigma": [1.5, 3.0]}),
        "sigma_whole": ({"LoG": {"sigma": [2]}}, {}),
        "sigma_too_wide": ({"LoG": {"sigma": [1.0, 40.0]}}, {}),
        "wavelet_in_setting": ({"Wavelet": {}}, {"wavelet": "haar"}),
        "haar": ({"Wavelet": {"wavelet": "haar"}}, {}),
        "db2": ({"Wavelet": {"wavelet": "db2"}}, {}),
        "bior": ({"Wavelet": {"wavelet": "bior2.2"}}, {}),
        "level_2": ({"Wavelet": {"level": 2}}, {}),
        "start_level_1": ({"Wavelet": {"start_level": 1, "wavelet": "haar"}}, {}),
        "flat_wavelet_2": ({"Wavelet": {"level": 2, "wavelet": "sym3"}}, {"force2D": True, "force2Ddimension": 1}),
        "gradient_voxels": ({"Gradient": {"gradientUseSpacing": False}}, {}),
        "lbp_in_space": (LBP, {}),
        "lbp_default": ({"LBP2D": {"lbp2DMethod": "default"}}, {"force2D": True}),
        "lbp_ror": ({"LBP2D": {"lbp2DMethod": "ror", "binWidth": 4.0}}, {"force2D": True, "force2Ddimension": 1}),
        "lbp_var": ({"LBP2D": {"lbp2DMethod": "var", "binWidth": 500.0}}, {"force2D": True, "force2Ddimension": 2}),
        "lbp_wide": (
            {"LBP2D": {"lbp2DRadius": 2.0, "lbp2DSamples": 12, "binWidth": 1.0}},
            {"force2D": True},
        ),
        "log_resample_flat": (log, {"force2D": True, "resampledPixelSpacing": [1.1, 1.1, 0]}),
    }
    cases |= {
        f"{name}@{region}": Case(region, parameters(image_types, few, **setting))
        for name, (image_types, setting) in typed.items()
        for region in BOTH
    }
    real = {
        "resample_2": {"resampledPixelSpacing": [2, 2, 2]},
        "resample_1.5": {"resampledPixelSpacing": [1.5, 1.5, 1.5]},
        "resample_1": {"resampledPixelSpacing": [1, 1, 1]},
        "resample_6": {"resampledPixelSpacing": [6, 6, 6]},
        "normalize": {"normalize": True, "normalizeScale": 100, "removeOutliers": 3.0},
        "pre_crop": {"preCrop": True},
    }
    cases |= {
        f"{name}@{region}": Case(region, parameters(filtered, label=TORSO.get(region, 1), **setting))
        for name, setting in real.items()
        for region in ("L3", "sarcoma")
        if (name, region) != ("resample_1", "sarcoma")
    }
    chosen = {
        "firstorder": ["Mean", "Energy", "StandardDeviation"],
        "glcm": ["Contrast", "SumAverage"],
        "shape": ["MeshVolume", "Compactness1", "Compactness2", "SphericalDisproportion"],
        "gldm": [],
    }
    cases["chosen"] = Case("anisotropic", parameters() | {"featureClass": chosen})
    cases["label_2"] = Case("labels", parameters(filtered, label=2))
    cases["label_1"] = Case("labels", parameters(label=1))
    return cases


SETTINGS = _matrix()

_PLATE = (*CLASSES, "shape2D")
_TYPED = {"LoG": {"sigma": [1.0]}, "Wavelet": {}, "SquareRoot": {}, "Logarithm": {}, "Exponential": {}, "Gradient": {}}

DEGENERATE = {
    "one_voxel": Case("one_voxel", parameters()),
    "one_voxel_1": Case("one_voxel", parameters(minimumROIDimensions=1)),
    "line": Case("line", parameters()),
    "line_1": Case("line", parameters(minimumROIDimensions=1)),
    "line_1_resample": Case("line", parameters(minimumROIDimensions=1, resampledPixelSpacing=[0.8, 0.8, 0.8])),
    "line_1_flat": Case("line", parameters(minimumROIDimensions=1, force2D=True)),
    "one_slice": Case("one_slice", parameters()),
    "one_slice_3": Case("one_slice", parameters(minimumROIDimensions=3)),
    "one_slice_resample": Case("one_slice", parameters(resampledPixelSpacing=[1, 1.5, 1.5])),
    "one_slice_types": Case("one_slice", parameters(_TYPED)),
    "two_slices_apart": Case("two_slices_apart", parameters()),
    "plate_k_shape2D": Case("plate_k", parameters(classes=_PLATE, force2D=True, force2Ddimension=0)),
    "plate_j_shape2D": Case("plate_j", parameters(classes=_PLATE, force2D=True, force2Ddimension=1)),
    "one_slice_shape2D": Case("one_slice", parameters(classes=_PLATE, force2D=True, force2Ddimension=2)),
    "plate_k_across_j": Case("plate_k", parameters(classes=_PLATE, force2D=True, force2Ddimension=1)),
    "plate_k_across_i": Case("plate_k", parameters(classes=_PLATE, force2D=True, force2Ddimension=2)),
    "plate_k_space_shape2D": Case("plate_k", parameters(classes=_PLATE)),
    "block_space_shape2D": Case("cube", parameters(classes=_PLATE)),
    "block_shape2D": Case("cube", parameters(classes=_PLATE, force2D=True)),
    "line_shape2D": Case("line", parameters(classes=_PLATE, force2D=True, minimumROIDimensions=1)),
    "flat": Case("flat", parameters()),
    "flat_bin_count": Case("flat", parameters(binCount=64)),
    "flat_normalize": Case("flat", parameters(normalize=True)),
    # Without LoG: of a constant image it is nothing but rounding, 1e-14, in either program.
    "flat_types": Case("flat", parameters({kind: own for kind, own in _TYPED.items() if kind != "LoG"})),
    "flat_flat": Case("flat", parameters(force2D=True, weightingNorm="euclidean")),
    "zeros": Case("zeros", parameters()),
    "zeros_types": Case("zeros", parameters(_TYPED | {"Square": {}})),
    "level": Case("level", parameters()),
    "level_types": Case("level", parameters(_TYPED)),
    "border": Case("border", parameters()),
    "two_parts": Case("anisotropic", parameters()),
    "whole": Case("whole", parameters()),
    "far_voxels": Case("far_voxels", parameters()),
    "far_voxels_distances": Case("far_voxels", parameters(distances=[1, 3])),
    "far_voxels_weighted": Case("far_voxels", parameters(weightingNorm="euclidean")),
    "two_voxels": Case("two_voxels", parameters()),
    "two_voxels_flat": Case("two_voxels", parameters(force2D=True)),
    "chessboard": Case("chessboard", parameters()),
    "thin_types": Case("thin", parameters(_TYPED)),
    "single_types": Case("single", parameters(_TYPED)),
    "single_shape2D": Case("single", parameters(classes=_PLATE, force2D=True)),
    "empty": Case("empty", parameters()),
    "absent_label": Case("labels", parameters(label=3)),
    "too_small": Case("cube", parameters(minimumROISize=60)),
    "all_resegmented": Case("cube", parameters(resegmentRange=[5000.0])),
    "one_left": Case("cube", parameters(resegmentRange=[1.0], resegmentMode="relative")),
    "resampled_away": Case("cube", parameters(resampledPixelSpacing=[9, 9, 9])),
    "distances_too_long": Case("cube", parameters(distances=[6])),
    "million": Case("million", parameters()),
}


def random_case(seed: int) -> Case:
    """A seeded region under a seeded choice of settings, for the live comparison: nobody has seen its numbers."""
    rng = np.random.default_rng(1000 + seed)

    def maybe(chance: float, **setting: Any) -> dict[str, Any]:
        return setting if rng.random() < chance else {}

    setting = (
        maybe(0.3, resampledPixelSpacing=[float(step) for step in np.round(rng.uniform(0.6, 2.5, 3), 1)])
        | maybe(0.2, interpolator="sitkLinear", padDistance=int(rng.integers(0, 9)))
        | maybe(0.2, normalize=True, normalizeScale=100)
        | maybe(0.2, resegmentRange=[-1.5, 2.0], resegmentMode="sigma")
        | maybe(0.25, force2D=True, force2Ddimension=int(rng.integers(3)))
        | maybe(0.25, distances=[[1, 2], [2], [1, 3]][rng.integers(3)])
        | maybe(0.25, weightingNorm=["euclidean", "manhattan", "infinity", "no_weighting"][rng.integers(4)])
        | maybe(0.2, symmetricalGLCM=False)
        | maybe(0.2, gldm_a=int(rng.integers(1, 4)))
        | maybe(0.2, preCrop=True)
        | (maybe(0.3, binCount=int(rng.integers(4, 64))) or {"binWidth": float(np.round(rng.uniform(4, 40), 1))})
    )
    filters = {
        "LoG": {"sigma": [float(np.round(rng.uniform(0.8, 4), 1))]},
        "Wavelet": {"wavelet": ["coif1", "haar", "db3", "sym4"][rng.integers(4)]},
        "Square": {},
        "SquareRoot": {},
        "Logarithm": {},
        "Exponential": {},
        "Gradient": {},
    }
    chosen = {name: own for name, own in filters.items() if rng.random() < 0.3}
    if "symmetricalGLCM" in setting:
        # Of few levels a direction's second voxels may all have one: the SD is 0, Correlation 1 by definition, but 0
        # in PyRadiomics where its sums round the SD to 1e-16.
        chosen.pop("Exponential", None)
    return Case(f"seed_{seed}", parameters({"Original": {}} | chosen, **setting))


RANDOM = {f"seed_{seed}": random_case(seed) for seed in (*range(8), 134, 262, 1079)}
"""A few random cases, and those that showed how the last bit decides: voxels on a percentile (134), on the edge of a
bin after normalisation (262), and on an edge that PyRadiomics computes in the single precision of the image (1079)."""


def unseen_cases(count: int) -> dict[str, Case]:
    """Other random cases, which are compared live and stored nowhere."""
    return {f"seed_{seed}": random_case(seed) for seed in range(2000, 2000 + count)}


TABLES = {
    "image_types": IMAGE_TYPES,
    "image_types_2d": IMAGE_TYPES_2D,
    "settings": SETTINGS,
    "degenerate": DEGENERATE,
    "random": RANDOM,
}


def real_files(region: str, shared: Path) -> tuple[Path, Path]:
    """Image and mask of a region that is not synthetic."""
    if region in TORSO:
        folder = shared / "data" / "spine_ct" / "torso"
        return folder / "ct.nii.gz", folder / "vertebrae_verse.nii.gz"
    folder = shared / "data" / "sarcoma_ct" / "nifti_019"
    return folder / "CT_image.nii.gz", folder / "CT_mask.nii.gz"


def is_real(region: str) -> bool:
    """Whether a region is read from the folder of test data."""
    return region in TORSO or region == "sarcoma"
