"""Displays of recordings, studies, embeddings and pre-training, in scikit-learn's manner."""

from .confounds import ConfoundsDisplay
from .confusion import SubjectConfusionDisplay
from .embedding import EmbeddingDisplay
from .label_efficiency import LabelEfficiencyDisplay
from .pretraining import PretrainingCurveDisplay
from .recording import RecordingDisplay
from .subject_scores import SubjectScoresDisplay

__all__ = [
    "ConfoundsDisplay",
    "EmbeddingDisplay",
    "LabelEfficiencyDisplay",
    "PretrainingCurveDisplay",
    "RecordingDisplay",
    "SubjectConfusionDisplay",
    "SubjectScoresDisplay",
]
