"""Files of voxels: NIfTI, NRRD and MetaImage, parsed here with every byte accounted for and streamed by slices."""
