"""A fitted model as a folder without pickle: save, load, verify, predict the next vertebra (METHODS I1, I2)."""

from ovfrad.bundle.load import load
from ovfrad.bundle.parts import Bundle
from ovfrad.bundle.predict import Prediction, predict_features, predict_roi
from ovfrad.bundle.save import BundleContent, save
from ovfrad.bundle.verify import verify

__all__ = ["Bundle", "BundleContent", "Prediction", "load", "predict_features", "predict_roi", "save", "verify"]
