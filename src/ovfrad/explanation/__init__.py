"""SHAP values and the nomogram as tables; nothing is drawn here (METHODS.md H1, H2)."""
