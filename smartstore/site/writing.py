"""Store documents as files that keep their comments: read, and written whole or not at all.

In: a file, or a document to be written. Out: a document, or a file that ``site check`` finds nothing wrong with.
"""

import copy
import io
import os
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from smartstore.site.parts import Site
from smartstore.site.source import Problem

Document = MutableMapping[str, Any]


class EditError(Exception):
    """An operation that cannot be carried out, or a file that cannot be read or written: one line.

    ``problems``: what would be wrong with the result.
    """

    def __init__(self, text: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = list(problems)
        super().__init__(text)


def read_document(path: Path) -> Document:
    """The document in a file, with its comments. Raises :class:`EditError` where it cannot be read."""
    try:
        document = round_trip().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EditError(f"{path}: cannot be read: {error.strerror or error}; name an existing file") from error
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a date that is none
        raise EditError(f"{path}: is not YAML: {' '.join(str(error).split())}; mend the syntax") from error
    if not isinstance(document, MutableMapping):
        raise EditError(f"{path}: is not a mapping of keys to values; name a store document")
    return document


def written(document: Document) -> str:
    """The text of a document."""
    out = io.StringIO()
    round_trip().dump(document, out)
    return out.getvalue()


def moved_document(document: Document, source: Path, target: Path) -> Document:
    """The document for another place: it names the same catalogue from there."""
    result = copy.deepcopy(document)
    if isinstance(name := result.get("catalogue"), str) and source.parent.resolve() != target.parent.resolve():
        result["catalogue"] = os.path.relpath((source.parent / name).resolve(), target.parent.resolve())
    return result


def save(document: Document, path: Path) -> Site:
    """Writes a document where ``site check`` finds nothing wrong with it, and all of it or nothing. Returns its store.

    Raises:
        EditError: it has errors, each of them in ``problems``, or it cannot be written; the file is as it was.
    """
    return save_text(written(document), path)


def save_text(text: str, path: Path) -> Site:
    """The same with the text of a document."""
    from smartstore.site import SiteError, read_site

    if not path.parent.is_dir():  # else the way from there to the catalogue would be said to be wrong
        raise EditError(f"{path}: there is no folder {path.parent}; make it first, or name another one")
    try:
        site = read_site(text, path)
    except SiteError as error:
        raise EditError(f"nothing was written, the result would not do: {error}", error.problems) from error
    write_whole(path, text.encode("utf-8"))
    return site


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, or leaves it as it was. Raises :class:`EditError` where it cannot be written."""
    work = path.parent / f".{path.name}.partial"
    try:
        work.write_bytes(data)
        work.replace(path)
    except OSError as error:
        why = (error.strerror or "cannot be used").lower()
        raise EditError(f"{path}: cannot be written: {why}; make room or name another place") from error
    finally:
        with suppress(OSError):
            work.unlink(missing_ok=True)


def round_trip() -> YAML:
    """Reads and writes what it does not change as it was, comments included."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 4000, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
