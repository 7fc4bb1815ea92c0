"""Image filters of the radiomics engine: each from an image and a box to arrays of the size of the box."""
