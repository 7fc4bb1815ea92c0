"""From stored files to a prepared region of HU: volumes, geometry, resampling, bone window, reading and writing."""

from ovfrad.imaging.flags import flags
from ovfrad.imaging.geometry import crop, to_lps
from ovfrad.imaging.inspect import inspect
from ovfrad.imaging.read import read_mask, read_roi, read_rois, read_segments, read_volume
from ovfrad.imaging.resample import prepare, prepare_mask
from ovfrad.imaging.volume import GRID_TOLERANCE, Grid, Roi, Volume
from ovfrad.imaging.window import bone_window
from ovfrad.imaging.write import write_dicom_series, write_nifti

__all__ = [
    "GRID_TOLERANCE",
    "Grid",
    "Roi",
    "Volume",
    "bone_window",
    "crop",
    "flags",
    "inspect",
    "prepare",
    "prepare_mask",
    "read_mask",
    "read_roi",
    "read_rois",
    "read_segments",
    "read_volume",
    "to_lps",
    "write_dicom_series",
    "write_nifti",
]
