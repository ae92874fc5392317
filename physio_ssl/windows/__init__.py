"""Windows of recordings: cut, labelled, concatenated over corpora, kept in files."""

from ._windows import Windows
from .corpora import concatenate_windows, corpus_weights
from .cutting import (
    assemble_windows,
    attach_native,
    count_samples,
    cut_from_recordings,
    cut_signal,
    find_recordings,
    make_windows,
    start_samples,
)
from .folder import open_windows, save_windows
from .labels import RatingLabels, StageLabels

__all__ = [
    "RatingLabels",
    "StageLabels",
    "Windows",
    "assemble_windows",
    "attach_native",
    "concatenate_windows",
    "corpus_weights",
    "count_samples",
    "cut_from_recordings",
    "cut_signal",
    "find_recordings",
    "make_windows",
    "open_windows",
    "save_windows",
    "start_samples",
]
