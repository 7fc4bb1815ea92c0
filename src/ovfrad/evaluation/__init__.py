"""Evaluation of predicted probabilities: functions of tables and arrays that import nothing else of this package.

So anyone can check the predictions of any tool: see `ovfrad.evaluation.summary.evaluate`.
Sections F, G5 and G6 of the method; the formulas are cited where they stand.
"""
