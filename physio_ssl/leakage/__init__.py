"""Audit of a study: find the ways in which test subjects' data reach training."""

from .audit import audit_leakage
from .report import Leak, LeakageError, LeakageReport, LeakKind

__all__ = ["Leak", "LeakKind", "LeakageError", "LeakageReport", "audit_leakage"]
