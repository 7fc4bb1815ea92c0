"""Masks: the structures of a file, which one is meant, and its voxels on the grid of the CT."""
