"""Patch, ResNet-50, weights and features of the deep arm (METHODS.md section D)."""
