"""Save, load and resume encoders, without running code that a file may hold."""

from .encoder_file import load_encoder, save_encoder
from .resumable import fit_resumable

__all__ = ["fit_resumable", "load_encoder", "save_encoder"]
