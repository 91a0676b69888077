"""What a program says of itself on standard error: lines for people, or JSON lines for machines.

In: log records of all modules. Out: one line per record; whatever a device put into a text, it cannot begin another.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


class PlainLines(logging.Formatter):
    """Time, level, module and text; control characters in the text are shown, not done."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line without the trace."""
        record.message = _visible(record.message)
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """A JSON object per line: ``time`` (UTC), ``level``, ``logger``, ``message``, and ``trace`` of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
        }  # fmt: skip
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(level: str = "info", as_json: bool = False) -> None:
    """From now on everything of this level or above is said on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
