"""Files that are written as a whole or not at all; leaf."""

import os
from pathlib import Path


def replace_file(path, data):
    """Write bytes to a file, replacing one that exists: all, or nothing if killed."""
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
