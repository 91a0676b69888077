"""A recording carries its store: documents as texts in its metadata, pictures of items as attachments.

In: a store document. Out: what a recorder keeps of it; and the other way round, the site that a recording was made in.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from mcap.records import Attachment

from smartstore.bus.reading import FeedError, records
from smartstore.bus.recording import feed_metadata
from smartstore.site import Site, load_site

DOCUMENT, CATALOGUE, CATALOGUE_PATH = "store_document", "catalogue", "catalogue_path"
PALM_KEY = "palm_key"


def store_documents(store: Path) -> dict[str, str]:
    """The texts of a sound store document and its catalogue, for the metadata of a recording."""
    text = store.read_text(encoding="utf-8")
    catalogue = str(yaml.safe_load(text)["catalogue"])
    return {
        DOCUMENT: text,
        CATALOGUE: (store.parent / catalogue).read_text(encoding="utf-8"),
        CATALOGUE_PATH: catalogue,
    }


def item_pictures(store: Path, site: Site) -> dict[str, Path]:
    """The pictures of a store's items by their paths from the catalogue's folder."""
    folder = (store.parent / str(yaml.safe_load(store.read_text(encoding="utf-8"))["catalogue"])).parent
    files = [Path(item.picture) for item in site.items.values() if item.picture is not None]
    return {os.path.relpath(file, folder): file for file in files if file.is_file()}


def recorded_site(feed: Path) -> Site:
    """The store that a recording was made in.

    Raises:
        FeedError: the recording does not carry its store.
        SiteError: the document it carries is not sound.
    """
    return load_site(recorded_document(feed))


def recorded_document(feed: Path) -> Path:
    """A file with the store document that a recording carries, its catalogue and pictures of items beside it.

    They lie in a folder that ends with the process; a recording without frames has no pictures.

    Raises:
        FeedError: the recording does not carry its store.
    """
    metadata = feed_metadata(feed)
    missing = [name for name in (DOCUMENT, CATALOGUE, CATALOGUE_PATH) if name not in metadata]
    if missing:
        raise FeedError(f"{feed}: does not carry its store document; name it with --store FILE")
    folder = tempfile.TemporaryDirectory(prefix="smartstore-feed-")
    _KEPT.append(folder)
    return _restore(feed, Path(folder.name).resolve(), metadata)


@contextmanager
def recorded_palm_key(feed: Path) -> Iterator[Path | None]:
    """A file with the palm service's public key of a recording; None where it has none, and anybody may come in."""
    text = feed_metadata(feed).get(PALM_KEY)
    if text is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="smartstore-key-") as folder:
        file = Path(folder) / "palm-public.pem"
        file.write_text(text, encoding="utf-8")
        yield file


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _restore(feed: Path, folder: Path, metadata: Mapping[str, str]) -> Path:
    """Writes documents and pictures below ``folder``, as they lay to each other; the path of the store document."""
    wanted = metadata[CATALOGUE_PATH]
    store = folder.joinpath(*("up" for _ in Path(wanted).parts), "store.yaml")
    catalogue = _within(feed, folder, store.parent / wanted)
    for file, text in ((store, metadata[DOCUMENT]), (catalogue, metadata[CATALOGUE])):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for record in records(feed, messages=False):
        if isinstance(record, Attachment):
            picture = _within(feed, folder, catalogue.parent / record.name)
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(record.data)
    _leave_room(feed, folder, catalogue)
    return store


def _leave_room(feed: Path, folder: Path, catalogue: Path) -> None:
    """Folders and files that the catalogue names and the recording has not: nobody who has no frames looks at them."""
    found: Any = yaml.safe_load(catalogue.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        return
    if isinstance(found.get("pictures"), str):
        _within(feed, folder, catalogue.parent / found["pictures"]).mkdir(parents=True, exist_ok=True)
    items = found.get("items")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("picture"), str):
            file = _within(feed, folder, catalogue.parent / item["picture"])
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


def _within(feed: Path, folder: Path, file: Path) -> Path:
    """A path in its plain form; a recording may not write outside of its own folder."""
    plain = Path(os.path.normpath(file))
    if not plain.is_relative_to(folder):
        raise FeedError(
            f"{feed}: names a file outside of its store's folder ({file.name}); where the store document has an "
            "absolute path, name the document with --store FILE"
        )
    return plain
