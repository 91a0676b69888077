"""Where goods stood on the day of a labelled script: labels date from several restockings.

In: the events of a script, and the store with its planogram. Out: the planogram of that day, in which the place of an
item's first take wins over the planogram of the data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from smartstore.formats.nanostore_goods import Placement, without
from smartstore.formats.nanostore_store import NanoStore


@dataclass(frozen=True, slots=True)
class Event:
    """One labelled take or put-back of some items of one product."""

    t_s: float
    name: str
    shopper: str
    gondola: int
    shelf: int
    plates: tuple[int, ...]
    put_back: bool
    gtin: str
    count: int


def planogram_of(events: Sequence[Event], store: NanoStore, note: Callable[[str], None]) -> tuple[Placement, ...]:
    """The planogram with every item where it is taken from, the place of its first take first."""
    claims: list[Placement] = []
    left: set[tuple[int, int, int, str]] = set()
    """Plates where somebody has left a product."""
    for event in events:
        on = {(event.gondola, event.shelf, plate, event.gtin) for plate in event.plates}
        if event.put_back:
            left |= on
        elif not left & on:
            _claim(event, claims, store, note)
    moved = {claim.gtin for claim in claims}
    out = list(claims)
    for place in store.planogram:
        here = [claim for claim in claims if (claim.gondola, claim.shelf) == (place.gondola, place.shelf)]
        rest = without(place, [plate for claim in here for plate in claim.plates])
        if place.gtin not in moved and rest is not None:
            out.append(rest)
    return tuple(sorted(out, key=lambda place: (place.gondola, place.shelf, place.plates)))


def _claim(event: Event, claims: list[Placement], store: NanoStore, note: Callable[[str], None]) -> None:
    """Makes sure that a product has a facing where it is taken; earlier takes keep theirs."""
    mine = [claim for claim in claims if claim.gtin == event.gtin]
    if any(covers(claim, event) for claim in mine):
        return
    if not mine:
        home = next((place for place in store.planogram if place.gtin == event.gtin and covers(place, event)), None)
        wanted = home or Placement(event.gondola, event.shelf, event.plates, event.gtin)
    else:
        wanted = Placement(event.gondola, event.shelf, event.plates, event.gtin)
        for claim in mine:
            if (claim.gondola, claim.shelf) == (wanted.gondola, wanted.shelf) and _gap(claim, wanted) <= 1:
                claims.remove(claim)
                both = {*claim.plates, *wanted.plates}
                wanted = replace(wanted, plates=tuple(range(min(both), max(both) + 1)))
    others = [c for c in claims if (c.gondola, c.shelf) == (wanted.gondola, wanted.shelf)]
    rest = without(wanted, [plate for other in others for plate in other.plates])
    if rest is None:
        rest = _squeezed(wanted, others, claims, store)
        where = f"gondola {event.gondola} shelf {event.shelf}"
        note(f"{event.name}: two products on the same plates of {where}; they stand side by side")
    claims.append(rest)


def _squeezed(wanted: Placement, others: Sequence[Placement], claims: list[Placement], store: NanoStore) -> Placement:
    """A place for a product whose plates are all another's: one of them, or the nearest that is free."""
    shared = next(other for other in others if set(other.plates) & set(wanted.plates))
    if len(shared.plates) > 1:
        claims.remove(shared)
        half = len(shared.plates) // 2
        claims.append(replace(shared, plates=shared.plates[:half]))
        return replace(wanted, plates=shared.plates[half:])
    taken = {plate for other in others for plate in other.plates}
    free = [p for p in store.gondolas[wanted.gondola].shelves[wanted.shelf].plates if p not in taken]
    nearest = min(free, key=lambda plate: (abs(plate - wanted.plates[0]), plate))
    return replace(wanted, plates=(nearest,))


def covers(place: Placement, event: Event) -> bool:
    """Whether a facing has some of the plates of an event."""
    same = (place.gondola, place.shelf) == (event.gondola, event.shelf)
    return same and bool(set(place.plates) & set(event.plates))


def _gap(a: Placement, b: Placement) -> int:
    """Plates from the end of one to the begin of the other; 1: neighbours, 0 or less: they overlap."""
    return max(a.plates[0], b.plates[0]) - min(a.plates[-1], b.plates[-1])
