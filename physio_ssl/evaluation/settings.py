"""The settings of a study, each declared and checked in one place."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from numbers import Integral
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """How a study is run; ``leave_subjects_out`` documents each setting.

    After the checks ``targets`` is a list or None, ``cv`` a splitter, list or None, ``search`` a
    dict, ``random_state`` an int and ``folder`` a path or None.
    """

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
        if not isinstance(self.inner_cv, Integral) or self.inner_cv < 2:
            raise ValueError(f"inner_cv must be an integer of 2 or more, got {self.inner_cv!r}.")
        targets, cv = self.targets, self.cv
        if targets is not None:
            targets = [targets] if isinstance(targets, str) else list(targets)
            if not targets or len(set(targets)) < len(targets):
                raise ValueError(f"targets must name one column or several, got {targets}.")
        if isinstance(cv, Iterable) and not (isinstance(cv, str) or hasattr(cv, "split")):
            cv = list(cv)  # a generator could be used once only
        checked = {
            "targets": targets,
            "cv": cv,
            "search": dict(self.search or {}),
            "random_state": _check_seed(self.random_state, self.folder),
            "folder": None if self.folder is None else Path(self.folder),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_keywords(cls, keywords):
        """Return the settings for keywords, or raise if a name is unknown."""
        known = [field.name for field in fields(cls)]
        unknown = [name for name in keywords if name not in known]
        if unknown:
            raise TypeError(
                f"Unknown setting {', '.join(unknown)}: those of leave_subjects_out are "
                f"{', '.join(known)}."
            )
        return cls(**keywords)


def _check_seed(random_state, folder):
    if random_state is None and folder is not None:
        raise ValueError("A resumable study (folder=...) needs an integer random_state, got None.")
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, bool) or not isinstance(random_state, (int, np.integer)):
        raise TypeError(
            f"random_state must be an integer or None, as it is recorded, got {random_state!r}."
        )
    return int(random_state)
