"""From stored files to a prepared region of HU: volumes, geometry, resampling, bone window, reading and writing."""

from ovfrad.imaging.volume import GRID_TOLERANCE, Roi, Volume
from ovfrad.imaging.write import write_dicom_series, write_nifti

__all__ = ["GRID_TOLERANCE", "Roi", "Volume", "write_dicom_series", "write_nifti"]
