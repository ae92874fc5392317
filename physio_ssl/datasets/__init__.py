"""Readers and downloads of datasets, and a simulated one; ``reading`` helps to write readers."""

from .amigos import load_amigos
from .ascertain import load_ascertain
from .bids import load_bids_physio
from .biosppy import load_biosppy
from .cache import Cache
from .case import load_case
from .cinc2017 import load_cinc2017
from .dreamer import load_dreamer
from .edf import load_edf
from .eegmat import load_eegmat
from .embraceplus import load_embraceplus
from .empatica import load_empatica, load_empatica_corpus
from .exam_stress import load_exam_stress
from .example_wristband import load_example_wristband
from .fetch import (
    fetch_amigos,
    fetch_ascertain,
    fetch_cinc2017,
    fetch_dreamer,
    fetch_drivedb,
    fetch_eegmat,
    fetch_exam_stress,
    fetch_k_emocon,
    fetch_nurse_stress,
    fetch_ppg_dalia,
    fetch_stress_predict,
    fetch_swell,
    fetch_wesad,
    get_data_home,
)
from .k_emocon import load_k_emocon
from .nurse_stress import load_nurse_stress
from .opensignals import load_opensignals
from .physionet import load_drivedb, load_wfdb
from .ppg_dalia import load_ppg_dalia
from .pspm import load_pspm
from .simulate import simulate_wristband
from .stress_predict import load_stress_predict
from .swell import load_swell
from .timed_csv import load_csv
from .wesad import load_wesad
from .wise import load_wise
from .xdf import load_xdf

__all__ = [
    "Cache",
    "fetch_amigos",
    "fetch_ascertain",
    "fetch_cinc2017",
    "fetch_dreamer",
    "fetch_drivedb",
    "fetch_eegmat",
    "fetch_exam_stress",
    "fetch_k_emocon",
    "fetch_nurse_stress",
    "fetch_ppg_dalia",
    "fetch_stress_predict",
    "fetch_swell",
    "fetch_wesad",
    "get_data_home",
    "load_amigos",
    "load_ascertain",
    "load_bids_physio",
    "load_biosppy",
    "load_case",
    "load_cinc2017",
    "load_csv",
    "load_dreamer",
    "load_drivedb",
    "load_edf",
    "load_eegmat",
    "load_embraceplus",
    "load_empatica",
    "load_empatica_corpus",
    "load_exam_stress",
    "load_example_wristband",
    "load_k_emocon",
    "load_nurse_stress",
    "load_opensignals",
    "load_ppg_dalia",
    "load_pspm",
    "load_stress_predict",
    "load_swell",
    "load_wesad",
    "load_wfdb",
    "load_wise",
    "load_xdf",
    "simulate_wristband",
]
