"""Readers of datasets, and a simulated one."""

from .amigos import load_amigos
from .ascertain import load_ascertain
from .dreamer import load_dreamer
from .empatica import load_empatica, load_empatica_corpus
from .pspm import load_pspm
from .simulate import simulate_wristband
from .stress_predict import load_stress_predict
from .wesad import load_wesad

__all__ = [
    "load_amigos",
    "load_ascertain",
    "load_dreamer",
    "load_empatica",
    "load_empatica_corpus",
    "load_pspm",
    "load_stress_predict",
    "load_wesad",
    "simulate_wristband",
]
