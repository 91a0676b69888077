"""The AiFi NanoStore (AutoCheckout competition, 2020) as a store of ours, with its recorded cases.

In: the root of the public data set, its Mongo archives as exported JSON lines. Out: the store's documents and, per
case, the packets of a feed in event time; and a table of all that had to be repaired, assumed or left out.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from smartstore.formats.nanostore_feed import Timed, track_packets, weight_packets
from smartstore.formats.nanostore_goods import Placement
from smartstore.formats.nanostore_source import (
    Finding,
    Findings,
    NanoStoreError,
    documents,
    feed_files,
    formed_like_the_set,
)
from smartstore.formats.nanostore_store import (
    NanoStore,
    assumptions,
    catalogue_document,
    facing_id,
    read_store,
    shelf_id,
    store_document,
)

__all__ = ["Case", "Finding", "Import", "NanoStoreError", "document_files", "open_nanostore", "store_files"]

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Case:
    """A recorded case: its name as a visit may carry it, and where it lies."""

    name: str
    files: dict[str, Path]


@dataclass(frozen=True, slots=True)
class Import:
    """An opened data set. Findings grow while cases are read."""

    store: NanoStore
    cases: tuple[Case, ...]
    _findings: Findings

    @property
    def findings(self) -> list[Finding]:
        """All that was found so far, the same thing in many places as one row."""
        return self._findings.rows

    def feed(self, case: Case) -> list[Timed]:
        """The packets of a case with their times, nanoseconds UTC, in event time.

        Raises:
            NanoStoreError: a file of the case cannot be read.
        """
        findings, packets = self._findings, list[Timed]()
        for collection in ("plate_data", "full_targets"):
            if collection not in case.files:
                findings.add(f"a case without {collection}", case.name, "imported without it")
        for unknown in sorted(set(case.files) - {"plate_data", "full_targets"}):
            findings.add("a collection that nothing here reads", f"{case.name}: {unknown}", "left out")
        if "plate_data" in case.files:
            with formed_like_the_set(case.files["plate_data"]):
                packets += weight_packets(documents(case.files["plate_data"], findings), self.store, findings)
        if "full_targets" in case.files:
            with formed_like_the_set(case.files["full_targets"]):
                packets += track_packets(documents(case.files["full_targets"], findings), case.name, findings)
        return sorted(packets, key=lambda timed: timed[0])

    def report(self) -> str:
        """The findings as JSON."""
        return json.dumps([asdict(finding) for finding in self.findings], indent=2, ensure_ascii=False) + "\n"


def open_nanostore(folder: Path) -> Import:
    """The data set in ``folder``; raises :class:`NanoStoreError`."""
    findings = Findings()
    store = read_store(folder, findings)
    assumptions(store, findings)
    cases = tuple(Case(name.lower(), files) for name, files in feed_files(folder).items() if files)
    return Import(store, cases, findings)


def store_files(store: NanoStore) -> Iterator[tuple[str, str]]:
    """Names and texts of the store's documents: store, catalogue, and planogram as a table."""
    yield from document_files(store, store.planogram)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("facing", "shelf", "first_plate", "last_plate", "gtin", "name"))
    for place in store.planogram:
        ends = place.plates[0], place.plates[-1]
        rows.writerow(
            (facing_id(place), shelf_id(place.gondola, place.shelf), *ends, place.gtin, store.goods[place.gtin].name)
        )
    yield "planogram.csv", table.getvalue()


def document_files(store: NanoStore, planogram: Sequence[Placement]) -> Iterator[tuple[str, str]]:
    """Names and texts of store document and catalogue with this planogram."""
    for name, data in (
        ("store.yaml", store_document(store, planogram, "catalogue.yaml")),
        ("catalogue.yaml", catalogue_document(store, planogram)),
    ):
        yield name, yaml.dump(data, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=120)
