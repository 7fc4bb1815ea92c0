"""Models: the nine classifiers, `auto`, the sparse score and baselines, the fold engine, and the checks of its honesty.

A straight line: `rows.Rows` and `procedure.Procedure` go into `engine.run`, an `engine.Outcome` comes out.
"""
