"""The settings of a study, declared and checked in one place."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import check_scalar


@dataclass(kw_only=True)
class StudySettings:
    """How a study is run; ``leave_subjects_out`` documents each setting."""

    targets: str | list | None = None
    cv: object = None
    search: dict | None = None
    inner_cv: int = 5
    scoring: object = "f1_macro"
    transductive: bool | str = False
    on_leak: str = "raise"
    n_jobs: int | None = None
    random_state: int | None = 0
    folder: Path | None = None
    keep_predictions: bool = False
    verbose: int = 0

    def __post_init__(self):
        """Check the values; afterwards only ``targets``, ``cv`` and ``folder`` may be None."""
        check_scalar(self.inner_cv, "inner_cv", Integral, min_val=2)
        if self.targets is not None:
            self.targets = [self.targets] if isinstance(self.targets, str) else list(self.targets)
            if not self.targets or len(set(self.targets)) < len(self.targets):
                raise ValueError(f"targets must name one column or several, got {self.targets}.")
        if isinstance(self.cv, Iterable) and not hasattr(self.cv, "split"):
            self.cv = list(self.cv)  # a generator could be used once only
        self.search = dict(self.search or {})
        if self.folder is not None:
            self.folder = Path(self.folder)
            if self.random_state is None:
                raise ValueError("A resumable study (folder=...) needs a random_state, got None.")
        if self.random_state is None:
            self.random_state = np.random.default_rng().integers(2**31)
        check_scalar(self.random_state, "random_state", Integral)
        self.random_state = int(self.random_state)
