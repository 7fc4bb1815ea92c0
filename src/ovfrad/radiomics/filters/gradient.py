"""Magnitude of the gradient inside a box, by ITK's filter on the box and one voxel around it."""

from __future__ import annotations

import numpy as np

from ovfrad.radiomics.pixels import for_simpleitk


def gradient_magnitude(
    image: np.ndarray, spacing: tuple[float, float, float], box: tuple[slice, slice, slice], *, use_spacing: bool = True
) -> np.ndarray:
    """Length of the gradient by central differences; a voxel of the image's border stands for the one beyond it.

    Parameters
    ----------
    image : ndarray, shape (k, j, i)
        The whole image.
    spacing : three floats
        Voxel size along (k, j, i), mm.
    box : three slices
        Where values are wanted.
    use_spacing : bool
        Per mm; False: per voxel (PyRadiomics' gradientUseSpacing).

    Returns
    -------
    ndarray of float32, shape of the box
        ITK's own type for it, whatever the image's.
    """
    import SimpleITK

    bounds = [part.indices(size)[:2] for part, size in zip(box, image.shape, strict=True)]
    low = [max(start - 1, 0) for start, _ in bounds]
    around = image[tuple(slice(first, stop + 1) for first, (_, stop) in zip(low, bounds, strict=True))]
    volume = SimpleITK.GetImageFromArray(np.ascontiguousarray(for_simpleitk(around)))
    volume.SetSpacing([float(step) for step in spacing[::-1]])
    gradient = SimpleITK.GradientMagnitudeImageFilter()
    gradient.SetUseImageSpacing(use_spacing)
    gradient.SetNumberOfThreads(1)  # a box is too small to be shared out
    length = SimpleITK.GetArrayFromImage(gradient.Execute(volume))
    inside = tuple(slice(start - first, stop - first) for first, (start, stop) in zip(low, bounds, strict=True))
    return np.ascontiguousarray(length[inside])
