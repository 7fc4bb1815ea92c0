"""From image and mask as they came to what features are computed from: normalised, resampled, cropped, resegmented."""

from __future__ import annotations

from ovfrad.radiomics.processing.prepare import Prepared, prepare

__all__ = ["Prepared", "prepare"]
