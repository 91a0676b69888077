"""The files of the AiFi NanoStore data set, as its databases export them.

In: a folder with ``store_meta``, ``planogram.json``, ``products.json`` and one folder of ``feeds`` per recorded case,
JSON or JSON lines, Mongo's extended types included. Out: plain documents, and :class:`Findings` for all that is missing
or cannot be as it is.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SHOWN = 4
"""So many places of one finding are named; the others are counted."""


class NanoStoreError(Exception):
    """Data that nothing can be made of: one line that names the file and what to do."""


@contextmanager
def formed_like_the_set(what: Path | str) -> Iterator[None]:
    """Whatever is read in the block comes from ``what``; :class:`NanoStoreError` where its values have another form."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise NanoStoreError(f"{what}: is not of the form of the data set ({why}); fetch it again") from error


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in the data that is missing, contradicts itself or cannot be true, and what was made of it."""

    what: str
    done: str
    where: tuple[str, ...]
    count: int

    @property
    def places(self) -> str:
        """Where, in short."""
        named = ", ".join(self.where)
        return named if self.count <= len(self.where) else f"{named}, ... ({self.count} in all)"


@dataclass(slots=True)
class Findings:
    """Collects what is found; the same thing in many places is one row."""

    _rows: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, what: str, where: str, done: str, count: int = 1) -> None:
        """One more; ``done`` says what was made of it."""
        places = self._rows.setdefault((what, done), [])
        self._counts[what, done] = self._counts.get((what, done), 0) + count
        if len(places) < SHOWN and where not in places:
            places.append(where)

    @property
    def rows(self) -> list[Finding]:
        """All of them, in the order in which they were first met."""
        return [
            Finding(what, done, tuple(where), self._counts[what, done]) for (what, done), where in self._rows.items()
        ]


def document(path: Path) -> dict[str, Any]:
    """The one JSON object in ``path``; raises :class:`NanoStoreError`."""
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise NanoStoreError(f"{path}: is not JSON ({error}); fetch it again") from error
    with formed_like_the_set(path):
        found = _plain(found)
    if not isinstance(found, dict):
        raise NanoStoreError(f"{path}: is not one JSON object; fetch it again")
    return found


def documents(path: Path, findings: Findings) -> Iterator[dict[str, Any]]:
    """The objects in ``path``, which holds one per line or is one JSON array; lines that are none are a finding.

    Raises:
        NanoStoreError: the file cannot be read, or no line of it is an object.
    """
    text = _text(path)
    good = bad = 0
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NanoStoreError(f"{path}: is not JSON ({error}); export it again") from error
        with formed_like_the_set(path):
            plain = [_plain(one) for one in listed if isinstance(one, dict)]
        yield from plain
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = _plain(json.loads(line))
        except (KeyError, TypeError, ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            good += 1
            yield found
        else:
            bad += 1
            findings.add("a line is no JSON object", f"{path.name}:{number}", "left out")
    if bad and not good:
        raise NanoStoreError(f"{path}: no line of it is a JSON object; export the collection as JSON lines")


def feed_files(folder: Path) -> dict[str, dict[str, Path]]:
    """By case, the files of its collections by name (``plate_data``, ``full_targets``)."""
    root = folder / "feeds"
    cases = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return {
        case.name: {file.stem: file for file in sorted(case.iterdir()) if file.suffix in (".json", ".jsonl", ".ndjson")}
        for case in cases
    }


def seconds(value: Any) -> float | None:
    """A time as UTC seconds: a number of seconds, or ISO 8601; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def number(value: Any) -> float | None:
    """A finite number, also one in quotes; None for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) and not isinstance(value, bool) else None


def vector(value: Any) -> tuple[float, float, float]:
    """x, y and z of a mapping; a component that is absent is 0, as in all exports of protobuf messages."""
    keys = value if isinstance(value, dict) else {}
    x, y, z = (number(keys.get(axis)) or 0.0 for axis in "xyz")
    return x, y, z


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NanoStoreError(
            f"{path}: cannot be read ({error.strerror}); give the root of a NanoStore data set"
        ) from error
    except UnicodeDecodeError as error:
        raise NanoStoreError(f"{path}: is not UTF-8 text; fetch it again") from error


def _plain(value: Any) -> Any:
    """Mongo's extended JSON (v1 and v2, relaxed or canonical) as plain values; times become ISO text or seconds."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 or "$binary" in value:
        key, held = next(iter(value.items()))
        if key in ("$numberInt", "$numberLong"):
            return int(held)
        if key in ("$numberDouble", "$numberDecimal"):
            return float(held)
        if key == "$oid":
            return held
        if key == "$date":
            inner = _plain(held)
            return inner / 1000.0 if isinstance(inner, int) else inner
        if key == "$binary":
            return held["base64"] if isinstance(held, dict) else held
    return {key: _plain(held) for key, held in value.items()}
