"""Sections of study.yaml from stored voxels to radiomics features: `imaging:` and `radiomics:`.

>>> Imaging().spacing_mm
1.0
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ovfrad.study.section import Hounsfield, Section

ImageType = Literal["original", "log", "wavelet", "square", "squareroot", "logarithm", "exponential", "gradient"]
PYRADIOMICS_TYPE: dict[ImageType, str] = {
    "original": "Original", "log": "LoG", "wavelet": "Wavelet", "square": "Square", "squareroot": "SquareRoot",
    "logarithm": "Logarithm", "exponential": "Exponential", "gradient": "Gradient",
}  # fmt: skip
#: Most grey levels that the texture matrices of a region may have.
MOST_LEVELS = 2048
#: Voxels below which a Laplacian of Gaussian has no digit left; the filter would leave it out of every case.
NARROWEST = 1 / 20
Levels = Annotated[int, Field(ge=1, le=MOST_LEVELS)]


class Imaging(Section):
    """`imaging:` from stored voxels to a prepared region (B1 to B7)."""

    spacing_mm: float = Field(1.0, ge=0.25, le=5, description="isotropic voxel size after resampling, mm")
    window_hu: tuple[Hounsfield, Hounsfield] = Field(
        (-250.0, 1250.0), description="bone window: width 1500, level 500 HU"
    )
    margin_mm: float = Field(
        15.0, ge=5, le=100, description="tissue kept round the mask's box when a CT is cropped, mm"
    )
    max_slice_mm: float = Field(3.0, gt=0, le=1000, description="slices thicker than this get a warning, mm")
    metal_hu: float = Field(
        2000.0, gt=0, le=1e6, description="HU above which metal or cement is suspected in or next to the mask"
    )
    metal: Literal["keep", "exclude"] = Field("keep", description="policy for suspected metal: a column, or quarantine")
    contrast: Literal["keep", "exclude"] = Field(
        "keep", description="policy for a contrast agent that the DICOM header names: a column, or quarantine"
    )

    @field_validator("window_hu")
    @classmethod
    def _rises(cls, window: tuple[float, float]) -> tuple[float, float]:
        if not window[0] < window[1]:
            raise ValueError("the lower end comes first, and the upper end is larger")
        return window


class Radiomics(Section):
    """`radiomics:` PyRadiomics features of the image as it is and filtered (C1): 1,316 by default."""

    image_types: tuple[ImageType, ...] = Field(
        ("original", "log", "wavelet"), min_length=1,
        description="image as it is, Laplacian of Gaussian, wavelet bands, ...",
    )  # fmt: skip
    log_sigma_mm: tuple[Annotated[float, Field(gt=0, le=10)], ...] = Field(
        (1.0, 2.0, 3.0, 4.0, 5.0), description="scales of the Laplacian of Gaussian, mm"
    )
    wavelet: str = Field("coif1", description="wavelet, by its name in PyWavelets")
    bin_width: float = Field(25.0, gt=0, le=1000, description="grey-level bin width, HU (or z-score units x z_scale)")
    intensities: Literal["hu", "zscore"] = Field("hu", description="HU, or the image z-scored and times z_scale")
    z_scale: float = Field(100.0, gt=0, le=10_000, description="SD of a z-scored image")
    bins: tuple[Levels, Levels] = Field((16, 128), description="accepted number of grey-level bins; outside: a warning")
    gldm_a: int = Field(
        0, ge=0, le=MOST_LEVELS, description="GLDM: largest grey-level difference of dependent neighbours"
    )

    @field_validator("wavelet")
    @classmethod
    def _known(cls, name: str) -> str:
        """Refuse a name that PyWavelets does not have; it is loaded only for names other than the default."""
        if name == "coif1":
            return name
        import pywt

        if name not in pywt.wavelist(kind="discrete"):
            raise ValueError("no discrete wavelet of PyWavelets; such are coif1 to coif17, haar, db2, sym4, bior1.3")
        return name

    @field_validator("bins")
    @classmethod
    def _fewest_first(cls, bins: tuple[int, int]) -> tuple[int, int]:
        if bins[0] > bins[1]:
            raise ValueError("the fewest bins come first, then the most")
        return bins

    @field_validator("image_types", "log_sigma_mm")
    @classmethod
    def _each_once(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        twice = [item for at, item in enumerate(items) if item in items[:at]]
        if twice:
            raise ValueError(f"{twice[0]} stands twice, and its features would have one name")
        return items

    @model_validator(mode="after")
    def _a_scale(self) -> Radiomics:
        if "log" in self.image_types and not self.log_sigma_mm:
            raise ValueError("log_sigma_mm is empty, and image_types has log: name a scale, or take log out")
        return self

    @property
    def reach_mm(self) -> float:
        """Tissue round the mask that filters need to see, mm: beyond six scales nothing changes a feature by 1e-3."""
        return 6 * max(self.log_sigma_mm, default=0.0) if "log" in self.image_types else 0.0

    def parameters(self) -> dict[str, dict[str, Any]]:
        """The section in the form of PyRadiomics' parameter file, with `bins` beside its own keys."""
        options: dict[str, dict[str, Any]] = {
            "log": {"sigma": list(self.log_sigma_mm)},
            "wavelet": {"wavelet": self.wavelet},
        }
        setting: dict[str, Any] = {"binWidth": self.bin_width, "gldm_a": self.gldm_a, "bins": list(self.bins)}
        if self.intensities == "zscore":
            setting |= {"normalize": True, "normalizeScale": self.z_scale}
        types = {PYRADIOMICS_TYPE[kind]: options.get(kind, {}) for kind in self.image_types}
        return {"imageType": types, "setting": setting}
