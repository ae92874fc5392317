"""Save and load encoders, without running code that a file may hold."""

from ._encoder_file import load_encoder, save_encoder
from ._wer_ssl import load_wu2023
from .resumable import fit_resumable

__all__ = ["fit_resumable", "load_encoder", "load_wu2023", "save_encoder"]
