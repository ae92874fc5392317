"""Preprocessing of windows, and of whole recordings, which are one long window."""

from .amplitude import Clip, Detrend, NormalScores, Standardize
from .ecg import prepare_ecg
from .filters import BandpassFilter, LowpassFilter, Resample
from .preparation import Preparation
from .traces import AddDynamics, AddHeartRate
from .wristband import prepare_wristband

__all__ = [
    "AddDynamics",
    "AddHeartRate",
    "BandpassFilter",
    "Clip",
    "Detrend",
    "LowpassFilter",
    "NormalScores",
    "Preparation",
    "Resample",
    "Standardize",
    "prepare_ecg",
    "prepare_wristband",
]
