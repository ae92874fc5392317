"""Readers of datasets, and a simulated one; ``reading`` helps to write readers of your own."""

from .amigos import load_amigos
from .ascertain import load_ascertain
from .biosppy import load_biosppy
from .cinc2017 import load_cinc2017
from .dreamer import load_dreamer
from .edf import load_edf
from .eegmat import load_eegmat
from .embraceplus import load_embraceplus
from .empatica import load_empatica, load_empatica_corpus
from .opensignals import load_opensignals
from .physionet import load_drivedb, load_wfdb
from .pspm import load_pspm
from .simulate import simulate_wristband
from .stress_predict import load_stress_predict
from .timed_csv import load_csv
from .wesad import load_wesad
from .xdf import load_xdf

__all__ = [
    "load_amigos",
    "load_ascertain",
    "load_biosppy",
    "load_cinc2017",
    "load_csv",
    "load_dreamer",
    "load_drivedb",
    "load_edf",
    "load_eegmat",
    "load_embraceplus",
    "load_empatica",
    "load_empatica_corpus",
    "load_opensignals",
    "load_pspm",
    "load_stress_predict",
    "load_wesad",
    "load_wfdb",
    "load_xdf",
    "simulate_wristband",
]
