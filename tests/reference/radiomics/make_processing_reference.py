"""Writes processing_3.0.1.npz: image and masks as PyRadiomics 3.0.1 hands them to filters and feature classes.

Run in the environment of make_reference.py:

    python tests/reference/radiomics/make_processing_reference.py [FILE]
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy
import SimpleITK
from processing_cases import Case, cases
from radiomics.featureextractor import RadiomicsFeatureExtractor

from radiomics import imageoperations


class Watched(RadiomicsFeatureExtractor):
    """Keeps what the shape features and the filters are given, and computes nothing."""

    def computeShape(self, image, mask, boundingBox, **kwargs):  # noqa: N802 - PyRadiomics' name
        """Keep the mask as shape features get it: cropped to the bounding box."""
        self.cut = mask, boundingBox
        return {}


def processed(case: Case) -> dict[str, numpy.ndarray]:
    """Image, mask, shape mask (k, j, i) and spacing (k, j, i) of a case."""
    volumes = [SimpleITK.GetImageFromArray(case.image), SimpleITK.GetImageFromArray(case.mask.astype("uint8"))]
    for volume in volumes:
        volume.SetSpacing(case.spacing[::-1])
        volume.SetOrigin(case.origin)
        volume.SetDirection(case.direction)
    extractor = Watched(additionalInfo=False, **case.settings)
    seen = []
    generate = imageoperations.getOriginalImage
    imageoperations.getOriginalImage = lambda image, mask, **kwargs: seen.append((image, mask)) or iter(())
    try:
        extractor.execute(*volumes)
    finally:
        imageoperations.getOriginalImage = generate
    (image, mask), (whole, bounds) = seen[0], extractor.cut
    shape_mask = numpy.zeros(SimpleITK.GetArrayFromImage(whole).shape, bool)
    box = tuple(slice(low, high + 1) for low, high in zip(bounds[-2::-2], bounds[::-2], strict=True))
    shape_mask[box] = SimpleITK.GetArrayFromImage(whole)[box] == 1
    return {
        "image": SimpleITK.GetArrayFromImage(image),
        "mask": SimpleITK.GetArrayFromImage(mask) == 1,
        "shape_mask": shape_mask,
        "spacing": numpy.array(image.GetSpacing()[::-1]),
    }


if __name__ == "__main__":
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    arrays = {f"{name}/{key}": array for name, case in cases().items() for key, array in processed(case).items()}
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("processing_3.0.1.npz")
    numpy.savez_compressed(out, **arrays)
