"""One region in each form it may come in: files, SimpleITK images, arrays, volumes, a Roi."""

from __future__ import annotations

import warnings
from collections import Counter

import nibabel
import numpy as np
import pytest

from ovfrad import imaging
from ovfrad.errors import InputError, InputWarning
from ovfrad.imaging.volume import Roi, Volume
from ovfrad.radiomics import extract, extract_many

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def case(blob):
    """Image (k, j, i), label map with 20 and 21 in two halves, spacing (k, j, i) mm."""
    image, mask, _ = blob
    spacing = (2.0, 0.75, 1.25)  # in steps that the float32 of a file's header keeps
    labels = np.zeros(mask.shape, np.int16)
    labels[mask] = 20
    labels[:, :8][mask[:, :8]] = 21
    return image.astype(np.int16), labels, spacing


@pytest.fixture
def expected(case):
    """Features of label 20."""
    image, labels, spacing = case
    return extract(image, labels == 20, spacing=spacing).to_dict()


def write(path, array, spacing, shift=0.0):
    """A NIfTI file of an array (k, j, i), whose axes are LPS; `shift` of its origin along i, mm."""
    affine = LPS_TO_RAS @ np.diag([*spacing[::-1], 1.0])
    affine[0, 3] += shift
    nibabel.save(nibabel.Nifti1Image(array.T, affine), path)
    return path


@pytest.fixture
def files(case, tmp_path):
    image, labels, spacing = case
    return write(tmp_path / "ct.nii.gz", image, spacing), write(tmp_path / "labels.nii.gz", labels, spacing)


@pytest.fixture
def itk():
    """From an array (k, j, i) and spacing (k, j, i), mm, to a SimpleITK image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # SimpleITK's SWIG layer on Python 3.12
        import SimpleITK

    def make(array, spacing, origin=(0.0, 0.0, 0.0), vector=False):
        image = SimpleITK.GetImageFromArray(array, isVector=vector)
        image.SetSpacing(spacing[::-1])
        image.SetOrigin(origin)
        return image

    return make


def refusal(*arguments, **options):
    with pytest.raises(InputError) as refused:
        extract(*arguments, **options)
    return str(refused.value)


def test_arrays_of_labels_and_of_bool(case, expected):
    image, labels, spacing = case
    assert extract(image, labels, label=20, spacing=spacing).to_dict() == expected
    assert extract(image, labels.astype(np.float32), label=20, spacing=spacing).to_dict() == expected
    assert extract(image, np.where(labels == 20, 7, 0), spacing=spacing).to_dict() == expected
    assert extract(image, labels, {"setting": {"label": 20}}, spacing=spacing).to_dict() == expected


def test_spacing_of_arrays_is_one_where_none_is_given(case):
    image, labels, _ = case
    found = extract(image, labels == 20, only=["original_shape_VoxelVolume"])
    assert found["original_shape_VoxelVolume"] == np.count_nonzero(labels == 20)


def test_files_as_paths_and_text(files, expected):
    assert extract(*files, label=20).to_dict() == expected
    found = extract(*map(str, files), label=20)
    assert found.to_dict() == expected
    assert found.name == "labels.nii.gz label 20"


def test_simpleitk_images(case, itk, expected):
    image, labels, spacing = case
    found = extract(itk(image, spacing), itk(labels.astype(np.uint8), spacing), label=20)
    assert found.to_dict() == expected
    assert found.name == "mask label 20"


def test_volumes_and_rois(case, expected):
    image, labels, spacing = case
    affine = np.diag([*spacing[::-1], 1.0])
    assert extract(Volume(image, affine), Volume(labels, affine), label=20).to_dict() == expected
    roi = Roi(Volume(image.astype(np.float32), affine), Volume(labels == 20, affine), "P1 L1")
    assert extract(roi).to_dict() == expected
    assert extract(roi).name == "P1 L1"


def test_a_roi_stands_alone(case):
    image, labels, spacing = case
    affine = np.diag([*spacing[::-1], 1.0])
    roi = Roi(Volume(image.astype(np.float32), affine), Volume(labels == 20, affine), "P1 L1")
    line = "E_USAGE extract: a Roi has a mask and spacing of its own; give the Roi alone"
    assert refusal(roi, labels) == line
    assert refusal(roi, spacing=spacing) == line
    assert refusal(image) == "E_USAGE extract: there is no mask; give image and mask, or a Roi"


def test_forms_that_do_not_go_together(case, files, itk):
    image, labels, spacing = case
    assert refusal(files[0], labels) == (
        "E_USAGE extract: image and mask are arrays and paths; "
        "give two of a kind: paths, SimpleITK images, arrays or volumes"
    )
    assert refusal(itk(image, spacing), itk(labels, spacing), spacing=spacing) == (
        "E_USAGE extract: spacing is given beside images that have their own; leave it out"
    )
    assert refusal(image.tolist(), labels) == (
        "E_USAGE extract: list is no image; give paths, SimpleITK images, arrays (k, j, i) or volumes"
    )


def test_labels_that_are_absent_ambiguous_or_none(case):
    image, labels, _ = case
    assert refusal(image, labels, label=22) == (
        "E_MASK_LABEL mask: label 22 has no voxel (labels present: 20, 21); name one that is present"
    )
    assert refusal(image, labels) == "E_MASK_LABEL mask: it holds the labels 20, 21; choose one: label="
    empty = "E_MASK_EMPTY mask: the mask has no voxel; give a mask with the region in it"
    assert refusal(image, 0 * labels) == refusal(image, 0 * labels, label=3) == empty
    assert refusal(image, labels * 1.03) == (
        "E_MASK_FRACTION mask: values from 20.6 to 21.63 are not whole numbers; give labels, or mask >= 0.5"
    )
    assert refusal(image, np.where(labels, np.nan, 0.0)).startswith("E_MASK_FRACTION mask: values from nan to nan")
    assert refusal(image, labels.astype(complex)) == (
        "E_MASK_KIND mask: its values are complex128; give labels, or an array of bool"
    )


def test_a_parameter_file_means_label_1(case):
    image, labels, _ = case
    assert "label 1 has no voxel (labels present: 20, 21)" in refusal(image, labels, {"setting": {"binWidth": 25}})


def test_labels_of_files(files):
    assert refusal(*files, label=22) == (
        "E_MASK_LABEL labels.nii.gz: label 22 has no voxel (labels present: 20, 21); name one that is present"
    )
    assert refusal(*files).startswith("E_MASK_LABEL labels.nii.gz: holds the labels 20, 21 and none was chosen; ")


def test_grids_that_differ(case, itk, tmp_path):
    image, labels, spacing = case
    assert refusal(image, labels[:-1], label=20) == (
        "E_GRID mask label 20: image (14, 16, 18) and mask (13, 16, 18) are not one 3-D grid; "
        "give two arrays (k, j, i) of equal shape"
    )
    assert refusal(image, labels, label=20, spacing=(1, 1)) == (
        "E_SPACING spacing: (1, 1) is not three numbers; give three, mm, in the order (k, j, i)"
    )
    remedy = "resample the mask onto the image"
    assert refusal(itk(image, spacing), itk(labels[:-1], spacing), label=20) == (
        f"E_MASK_GRID mask: size (18, 16, 13), the image's is (18, 16, 14); {remedy}"
    )
    assert refusal(itk(image, spacing), itk(labels, spacing, (0.0625, 0, 0)), label=20) == (
        f"E_MASK_GRID mask: a corner is 0.05 voxels off the image's; {remedy}"
    )
    shifted = Volume(labels, np.diag([*spacing[::-1], 1.0]) + np.eye(4, k=3))
    assert refusal(Volume(image, np.diag([*spacing[::-1], 1.0])), shifted, label=20).startswith("E_MASK_GRID mask: ")
    ct = write(tmp_path / "ct.nii.gz", image, spacing)
    assert "E_MASK_GRID far.nii.gz: " in refusal(ct, write(tmp_path / "far.nii.gz", labels, spacing, 3.0), label=20)


def test_a_grid_within_the_tolerance_is_one_grid(case, itk, expected):
    image, labels, spacing = case
    found = extract(itk(image, spacing), itk(labels, spacing, (0.0099 * spacing[2], 0, 0)), label=20)
    assert found.to_dict() == expected


def test_vector_and_flat_images(case, itk):
    image, labels, spacing = case
    pair = np.stack([image, image], axis=-1)
    line = "3 dimensions, 2 values a voxel; give a volume of three dimensions with one value a voxel"
    assert refusal(itk(pair, spacing, vector=True), itk(labels, spacing), label=20) == f"E_GRID image: {line}"
    both = np.stack([labels, labels], axis=-1)
    assert refusal(itk(image, spacing), itk(both, spacing, vector=True), label=20) == f"E_GRID mask: {line}"
    assert refusal(itk(image[0], spacing[1:], (0.0, 0.0)), itk(labels, spacing), label=20).startswith(
        "E_GRID image: 2 dimensions, 1 values a voxel"
    )


def test_several_labels_read_the_image_once(files, monkeypatch):
    from ovfrad.imaging import read

    opened = Counter()

    def counted(original):
        def count(path, *more):
            opened[path.name] += 1
            return original(path, *more)

        return count

    monkeypatch.setattr(read, "open_ct", counted(read.open_ct))
    monkeypatch.setattr(read, "open_mask", counted(read.open_mask))
    table = extract_many(*files, [20, 21])
    assert opened == {"ct.nii.gz": 1, "labels.nii.gz": 1}
    for label in (20, 21):
        assert table.loc[label].to_dict() == extract(*files, label=label).to_dict()
    assert opened == {"ct.nii.gz": 3, "labels.nii.gz": 3}


def test_no_label_at_all(case):
    image, labels, _ = case
    with pytest.raises(InputError, match="E_USAGE extract_many: no label is asked for; name at least one"):
        extract_many(image, labels, [])


def test_a_file_that_cannot_be_ct_is_read_with_a_warning(case, tmp_path):
    image, labels, spacing = case
    unsigned = (image - image.min() + 5000).astype(np.uint16)
    paths = write(tmp_path / "mr.nii.gz", unsigned, spacing), write(tmp_path / "m.nii.gz", labels, spacing)
    with pytest.raises(InputError, match="E_NOT_CT"):
        imaging.read_roi(*paths, label=20)
    with pytest.warns(InputWarning) as caught:
        table = extract_many(*paths, [21, 20])
    (line,) = [str(item.message) for item in caught]
    assert line.startswith("W_NOT_CT mr.nii.gz: ")
    assert line.endswith("; features are of grey values, not of HU")
    for label in (20, 21):
        assert table.loc[label].to_dict() == extract(unsigned, labels, label=label, spacing=spacing).to_dict()


def test_an_mr_of_the_real_data_is_read_with_a_warning(shared):
    folder = shared / "data" / "pyradiomics"
    paths = folder / "brain1_image.nrrd", folder / "brain1_label.nrrd"
    with pytest.warns(InputWarning, match="W_NOT_CT brain1_image.nrrd: .*; features are of grey values, not of HU"):
        found = extract(*paths, label=1, only=["original_shape_VoxelVolume"])
    assert found["original_shape_VoxelVolume"] == pytest.approx(16412.659, abs=0.01)


def test_the_given_arrays_are_left_as_they_were(case):
    image, labels, spacing = case
    before = image.copy(), labels.copy()
    image.flags.writeable = labels.flags.writeable = False
    settings = {
        "imageType": {"Original": {}, "LoG": {"sigma": [2]}, "Wavelet": {}, "Square": {}, "Gradient": {}},
        "setting": {"label": 20, "normalize": True, "normalizeScale": 100, "resegmentRange": [-3, 3],
                    "resegmentMode": "sigma", "resampledPixelSpacing": [1, 1, 1]},
    }  # fmt: skip
    extract(image, labels, settings, spacing=spacing)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_a_dicom_series_gives_the_same_numbers_as_its_arrays(shared):
    folder = shared / "data" / "spine_ct" / "dicom"
    found = extract(folder / "series", folder / "segmentation.nii.gz", label=32)
    roi = imaging.read_roi(
        folder / "series", folder / "segmentation.nii.gz", label=32, margin_mm=None, require_ct=False
    )
    assert found.to_dict() == extract(roi).to_dict()
    assert found.name == "segmentation.nii.gz label 32"


def test_a_label_asked_for_twice_is_refused():
    image = np.arange(64.0).reshape(4, 4, 4)
    with pytest.raises(InputError, match="E_MASK_LABEL labels: 1 is asked for more than once; name each once"):
        extract_many(image, (image > 20).astype(int), [1, 1])
