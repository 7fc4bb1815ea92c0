"""The modules that take hostile bytes apart, to be imported under instrumentation.

Only those: of numpy code that is instrumented, atheris keeps every array that it sees compared.
"""

import ovfrad.imaging.dicom.gate
import ovfrad.imaging.dicom.items
import ovfrad.imaging.dicom.parse
import ovfrad.imaging.dicom.parse_segmentation
import ovfrad.imaging.dicom.parse_structures
import ovfrad.imaging.formats.metaimage
import ovfrad.imaging.formats.nifti
import ovfrad.imaging.formats.nrrd
import ovfrad.imaging.formats.slicer
import ovfrad.imaging.formats.stream
import ovfrad.imaging.formats.text  # noqa: F401
