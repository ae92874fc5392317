"""Audit of a study: find the ways in which test subjects' data reach training."""

from ._audit import audit_leakage
from ._leak import Leak, LeakageError, LeakageReport

__all__ = ["Leak", "LeakageError", "LeakageReport", "audit_leakage"]
