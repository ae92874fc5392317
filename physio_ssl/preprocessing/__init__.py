"""Preprocessing of windows, and of whole recordings, which are one long window."""

from .amplitude import Clip, Detrend, NormalScores, Standardize
from .derived import HeartRateChannels, SlopeChannels
from .ecg import prepare_ecg
from .filters import BandpassFilter, LowpassFilter, Resample
from .preprocessor import Preprocessor
from .wristband import prepare_wristband

__all__ = [
    "SlopeChannels",
    "HeartRateChannels",
    "BandpassFilter",
    "Clip",
    "Detrend",
    "LowpassFilter",
    "NormalScores",
    "Preprocessor",
    "Resample",
    "Standardize",
    "prepare_ecg",
    "prepare_wristband",
]
