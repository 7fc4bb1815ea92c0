"""DICOM: CT series, segmentations and structure sets. What is not trusted is parsed in a child process with limits."""
