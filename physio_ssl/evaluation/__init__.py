"""Studies over subjects: who is held out, how it is scored, how results compare."""

from .baselines import make_baselines
from .confound_report import ConfoundReport
from .confounds import audit_confounds
from .label_efficiency import label_efficiency
from .leave_datasets_out import leave_datasets_out
from .linear_probe import LinearProbe, LinearProbeRegressor
from .pooling import pool_studies
from .position import position_matched_auroc
from .reconstruction import Reconstruction, reconstruct_masked
from .results import StudyResults
from .study import leave_subjects_out

__all__ = [
    "ConfoundReport",
    "LinearProbe",
    "LinearProbeRegressor",
    "Reconstruction",
    "StudyResults",
    "audit_confounds",
    "label_efficiency",
    "leave_datasets_out",
    "leave_subjects_out",
    "make_baselines",
    "pool_studies",
    "position_matched_auroc",
    "reconstruct_masked",
]
