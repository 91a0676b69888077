"""Files of others as text, and the one error for what cannot be read of them."""

import math
from pathlib import Path

LARGEST_BYTES = 512 * 1024 * 1024


class FormatError(Exception):
    """A file in somebody else's format that cannot be used: one line with what, where, and what to do."""


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        FormatError: it is not there, too large, or not text.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise FormatError(f"{path}: is larger than {LARGEST_BYTES // 2**20} MB; split it")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); name an existing file") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: is not UTF-8 text; save it as UTF-8") from error


def finite(text: str) -> float:
    """A finite number; raises ValueError for anything else."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value
