"""Studies over subjects: who is held out, how it is scored, and what leaks."""

from .baselines import make_baselines
from .efficiency import label_efficiency
from .leakage import LeakageError, LeakageReport, audit_leakage
from .reconstruction import Reconstruction, reconstruct_masked
from .results import StudyResults
from .study import leave_subjects_out

__all__ = [
    "LeakageError",
    "LeakageReport",
    "Reconstruction",
    "StudyResults",
    "audit_leakage",
    "label_efficiency",
    "leave_subjects_out",
    "make_baselines",
    "reconstruct_masked",
]
