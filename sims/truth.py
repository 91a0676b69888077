"""The truth of a run: where everybody was, what they took and put back, what every receipt should say.

In: what the world did. Out: ``truth.jsonl``, one JSON object per line, and back again. Only the lab reads it; it
never goes on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

SCHEMA = 1

Point = tuple[float, float, float]


class TruthError(Exception):
    """A truth file that cannot be read: one line."""


class Header(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="header"):
    """What was played. ``shoppers`` are those who came, in the order of the plan."""

    schema: int
    scenario: str
    seed: int
    store: str
    start_ns: int
    shoppers: tuple[str, ...]
    came_s: tuple[float, ...] = ()
    """When each of them stands at the gate, seconds since the start."""


class TruePerson(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person inside the walls, store metres; ``hand_m`` is where the active hand is while it works."""

    person: str
    visit: str | None
    x_m: float
    y_m: float
    hand_m: Point | None = None


class TruePositions(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="positions"):
    """Everybody at one time."""

    t_ns: int
    people: tuple[TruePerson, ...]


class TrueChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="record", tag="change"):
    """One item taken (``t_ns``: it begins to lift) or put back (``t_ns``: it touches the shelf)."""

    t_ns: int
    kind: Literal["take", "put_back"]
    person: str
    visit: str
    sku: str
    facing: str
    shelf: str
    quantity: int
    grams: float
    home: str
    """The facing in which the item stood when the store opened."""
    role: str = ""
    """Who did it if not somebody on a palm of their own: ``party``, ``tailgater`` or ``staff``."""


class TrueVisit(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="visit"):
    """A visit that is over: the last of its party has left. ``person`` is whose palm it was; ``lines`` is what all of
    the party carried out and what its receipt should say, SKU to quantity."""

    visit: str
    person: str
    entered_ns: int
    left_ns: int
    lines: dict[str, int]


class TrueGuest(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="guest"):
    """Somebody without a visit has left: nobody pays for ``lines``, which they carried out."""

    person: str
    role: str
    """``tailgater`` or ``staff``."""
    behind: str | None
    """Behind whom a tailgater walked in."""
    entered_ns: int
    left_ns: int
    lines: dict[str, int]


class TrueHandOver(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="hand_over"):
    """One item has gone from hand to hand; from now on it is with ``to``."""

    t_ns: int
    person: str
    to: str
    visit: str | None
    to_visit: str | None
    sku: str
    grams: float
    home: str


class TrueDrop(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="drop"):
    """One item was left on the floor; nobody pays for it."""

    t_ns: int
    person: str
    visit: str | None
    sku: str
    grams: float
    home: str
    x_m: float
    y_m: float


class TrueForeign(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="foreign"):
    """A thing that is no product was left on a shelf or picked up from it."""

    t_ns: int
    kind: Literal["left", "picked_up"]
    person: str
    visit: str | None
    facing: str
    shelf: str
    grams: float


Record = Header | TruePositions | TrueChange | TrueVisit | TrueGuest | TrueHandOver | TrueDrop | TrueForeign


class TruthWriter:
    """Writes records to a file, or nowhere when there is none."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("wb") if path else None
        self._encode = msgspec.json.Encoder().encode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def write(self, record: Record) -> None:
        """Append one line."""
        if self._file:
            self._file.write(self._encode(record) + b"\n")


@dataclass(frozen=True, slots=True)
class Truth:
    """A whole truth file. ``positions``: time and, of everybody inside, (person, x_m, y_m)."""

    scenario: str
    seed: int
    store: str
    start_ns: int
    positions: tuple[tuple[int, tuple[tuple[str, float, float], ...]], ...]
    changes: tuple[TrueChange, ...]
    visits: tuple[TrueVisit, ...]
    guests: tuple[TrueGuest, ...] = ()
    hand_overs: tuple[TrueHandOver, ...] = ()
    drops: tuple[TrueDrop, ...] = ()
    foreign: tuple[TrueForeign, ...] = ()
    came_s: Mapping[str, float] = field(default_factory=dict)
    """By person: when they stood at the gate, seconds since the start."""
    reaches: tuple[tuple[int, str, Point], ...] = ()
    """Time, person and where the active hand was."""

    @property
    def receipts(self) -> Mapping[str, Mapping[str, int]]:
        """Visit to SKU to quantity."""
        return {visit.visit: visit.lines for visit in self.visits}


def read_truth(path: str | Path) -> Truth:
    """The truth file at ``path``; raises :class:`TruthError`."""
    decoder = msgspec.json.Decoder(Record)
    try:
        records = [decoder.decode(line) for line in Path(path).read_bytes().splitlines()]
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror}); run the scenario first") from error
    except msgspec.DecodeError as error:
        raise TruthError(f"{path}: not a truth file ({error}); run the scenario again") from error
    if not records or not isinstance(records[0], Header):
        raise TruthError(f"{path}: has no header; run the scenario again")
    head = records[0]
    return Truth(
        scenario=head.scenario,
        seed=head.seed,
        store=head.store,
        start_ns=head.start_ns,
        came_s=dict(zip(head.shoppers, head.came_s, strict=False)),
        positions=tuple(
            (r.t_ns, tuple((p.person, p.x_m, p.y_m) for p in r.people)) for r in records if isinstance(r, TruePositions)
        ),
        reaches=tuple(
            (r.t_ns, p.person, p.hand_m)
            for r in records
            if isinstance(r, TruePositions)
            for p in r.people
            if p.hand_m is not None
        ),
        changes=tuple(r for r in records if isinstance(r, TrueChange)),
        visits=tuple(r for r in records if isinstance(r, TrueVisit)),
        guests=tuple(r for r in records if isinstance(r, TrueGuest)),
        hand_overs=tuple(r for r in records if isinstance(r, TrueHandOver)),
        drops=tuple(r for r in records if isinstance(r, TrueDrop)),
        foreign=tuple(r for r in records if isinstance(r, TrueForeign)),
    )
