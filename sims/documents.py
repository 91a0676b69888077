"""YAML documents of the building: a file goes in, a mapping of keys comes out, or an error of one line."""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Part(BaseModel):
    """A part of a document: unknown keys are errors, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_document(path: Path, error: type[Exception], example: str, missing: str = "check the path") -> dict[str, Any]:
    """The document at ``path``, its keys not checked yet.

    Raises ``error`` with one line that names the file: ``missing`` is the way out where none can be read, ``example``
    a document to compare with.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
        raise error(f"{path}: cannot be read ({reason}); {missing}") from problem
    except (yaml.YAMLError, ValueError, RecursionError) as problem:  # ValueError: a date or a number that is none
        raise error(f"{path}: not YAML ({' '.join(str(problem).split())}); mend the file") from problem
    if not isinstance(document, dict):
        raise error(f"{path}: not a document with keys; compare with {example}")
    return document
