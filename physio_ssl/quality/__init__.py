"""How good recorded signals are: the ECG, the pulse wave, skin conductance, and wear."""

from .description import Description, describe
from .ecg import drop_poor_ecg, find_poor_ecg
from .eda import find_poor_eda
from .ppg import find_poor_ppg
from .seconds import measure_quality
from .windows import add_quality, drop_poor

__all__ = [
    "Description",
    "add_quality",
    "describe",
    "drop_poor",
    "drop_poor_ecg",
    "find_poor_ecg",
    "find_poor_eda",
    "find_poor_ppg",
    "measure_quality",
]
