"""Readers of datasets, and a simulated one; ``reading`` helps to write readers of your own."""

from .amigos import load_amigos
from .ascertain import load_ascertain
from .biosppy import load_biosppy
from .cinc2017 import load_cinc2017
from .dreamer import load_dreamer
from .eegmat import load_eegmat
from .empatica import load_empatica, load_empatica_corpus
from .example_wristband import load_example_wristband
from .physionet import load_drivedb, load_wfdb
from .pspm import load_pspm
from .simulate import simulate_wristband
from .stress_predict import load_stress_predict
from .wesad import load_wesad

__all__ = [
    "load_amigos",
    "load_ascertain",
    "load_biosppy",
    "load_cinc2017",
    "load_dreamer",
    "load_drivedb",
    "load_eegmat",
    "load_empatica",
    "load_empatica_corpus",
    "load_example_wristband",
    "load_pspm",
    "load_stress_predict",
    "load_wesad",
    "load_wfdb",
    "simulate_wristband",
]
