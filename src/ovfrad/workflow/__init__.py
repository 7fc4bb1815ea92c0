"""The steps of a study over its run folder: features, fit, evaluate, explain, report."""
