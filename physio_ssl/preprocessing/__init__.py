"""Preprocessing of windows, and of whole recordings, which are one long window.

Filters, resampling and scaling are functions, too: see ``physio_ssl.functional``.
"""

from .amplitude import Clip, Detrend, NormalScores, Standardize
from .derived import HeartRateChannels, SlopeChannels
from .filters import BandpassFilter, LowpassFilter, Resample
from .preprocessor import Preprocessor
from .presets import ecg_preprocessor, wristband_preprocessor

__all__ = [
    "BandpassFilter",
    "Clip",
    "Detrend",
    "HeartRateChannels",
    "LowpassFilter",
    "NormalScores",
    "Preprocessor",
    "Resample",
    "SlopeChannels",
    "Standardize",
    "ecg_preprocessor",
    "wristband_preprocessor",
]
