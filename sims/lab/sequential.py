"""A baseline as the teams of the AutoCheckout competition built it: step after step, each decided for good.

In: the batches of the load cells, and everybody on the floor with their hands, as the product sees them. Out: carts.

1. Trigger: the weight of a shelf moves (spread over a sliding window) and comes to rest again.
2. Plate split: plates with a share of the change; those that touch are one event, others events of their own.
3. Item: of all products with a facing on the shelf the one with the highest 0.8 x place + 0.2 x weight.
4. Person: whose hand, or head where no hand is known, was nearest to that facing.

Constants are those such teams published or would have set by hand (a trigger of some grams, half-second windows); the
tracks and identities are the product's own, as the competition gave them to everybody.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import FloorState
from smartstore.site import Facing, Shelf, Site
from smartstore.wire.messages import ScaleBatch

Grams = NDArray[np.float64]
WINDOW, STEP = 30, 6
"""Samples of the sliding window, and how many it moves on at a time: half a second and a tenth at 60 Hz."""
MOVES_GRAMS, RESTS_GRAMS = 8.0, 4.0
"""Spread of a shelf's weight in a window, standard deviation: moving above, at rest below."""
LEAST_GRAMS = 10.0
PLATE_SHARE = 0.1
"""A plate with less of the change than this only rang along."""
PLACE_WEIGHT, GRAMS_WEIGHT = 0.8, 0.2
MOST_ITEMS = 3
HEAD_M = 1.55
"""Height of a head above the floor."""
MEMORY_NS = 8_000_000_000


@dataclass(slots=True)
class _Scale:
    """One shelf's plates: the last samples, the weights at the last rest, and since when they move."""

    recent: Grams
    rest: Grams | None = None
    moving_ns: int | None = None


class SequentialBaseline:
    """Carts by simple rules. :attr:`carts` maps visits to what they hold, SKU to quantity."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._shelves: dict[str, _Scale] = {}
        self._floor: deque[tuple[FloorState, Mapping[int, str]]] = deque()
        self.carts: dict[str, Counter[str]] = {}

    def see(self, state: FloorState, owners: Mapping[int, str]) -> None:
        """Everybody at one moment, and whose track is whose."""
        if self._floor and state.t_ns <= self._floor[-1][0].t_ns:
            return
        self._floor.append((state, owners))
        while self._floor[0][0].t_ns < state.t_ns - MEMORY_NS:
            self._floor.popleft()

    def feel(self, fixture: str, batch: ScaleBatch) -> None:
        """One batch of a fixture's plates."""
        if fixture not in self._site.fixtures:
            return
        grams = np.array([[0.0 if g is None else g for g in row] for row in batch.grams], float)
        column = {plate: i for i, plate in enumerate(batch.plates)}
        for shelf in self._site.fixtures[fixture].shelves:
            places = [column[plate.id] for plate in shelf.plates if plate.id in column]
            if len(places) == len(shelf.plates):
                for first in range(0, len(grams), STEP):
                    rows = grams[first : first + STEP, places]
                    self._moved_on(shelf, batch.t_ns + (first + len(rows)) * batch.period_ns, batch.period_ns, rows)

    def _moved_on(self, shelf: Shelf, t_ns: int, period_ns: int, rows: Grams) -> None:
        """Some more samples of a shelf, the last one just before ``t_ns``."""
        scale = self._shelves.setdefault(shelf.id, _Scale(rows[:0]))
        scale.recent = np.concatenate([scale.recent, rows])[-WINDOW:]
        if len(scale.recent) < WINDOW:
            return
        began_ns, spread = t_ns - WINDOW * period_ns, float(scale.recent.sum(axis=1).std())
        if scale.moving_ns is None and (scale.rest is None or spread < RESTS_GRAMS):
            scale.rest = np.median(scale.recent, axis=0)
        elif scale.moving_ns is None and spread > MOVES_GRAMS:
            scale.moving_ns = began_ns
        elif scale.moving_ns is not None and scale.rest is not None and spread < RESTS_GRAMS:
            now = np.median(scale.recent, axis=0)
            self._changed(shelf, now - scale.rest, (scale.moving_ns + began_ns) // 2)
            scale.rest, scale.moving_ns = now, None

    def _changed(self, shelf: Shelf, difference: Grams, t_ns: int) -> None:
        if abs(difference.sum()) < LEAST_GRAMS:
            return
        for group in _split(difference):
            grams = float(difference[group].sum())
            if abs(grams) < LEAST_GRAMS or not shelf.facings:
                continue
            shares = {shelf.plates[i].id: abs(float(difference[i] / grams)) for i in group}
            self._book(shelf, grams, shares, t_ns)

    def _book(self, shelf: Shelf, grams: float, shares: Mapping[str, float], t_ns: int) -> None:
        facing, count = max(
            ((facing, count) for facing in shelf.facings for count in range(1, MOST_ITEMS + 1)),
            key=lambda pair: self._score(pair[0], pair[1], abs(grams), shares),
        )
        visit = self._nearest(facing, t_ns)
        if visit is None:
            return
        cart = self.carts.setdefault(visit, Counter())
        if grams < 0:
            cart[facing.sku] += count
            return
        held = [sku for sku, number in cart.items() if number > 0]
        if held:  # a put-back is what of the cart weighs most nearly as much
            put = min(held, key=lambda sku: abs(self._site.items[sku].grams - grams))
            cart[put] -= 1

    def _score(self, facing: Facing, count: int, grams: float, shares: Mapping[str, float]) -> float:
        item = self._site.items[facing.sku]
        place = sum(shares.get(plate, 0.0) for plate in facing.plates)
        sigma = math.hypot(item.grams_sigma * math.sqrt(count), 5.0)
        weight = math.exp(-0.5 * ((grams - count * item.grams) / sigma) ** 2)
        return PLACE_WEIGHT * min(place, 1.0) + GRAMS_WEIGHT * weight

    def _nearest(self, facing: Facing, t_ns: int) -> str | None:
        """The visit whose hand or head was nearest at the time of the change."""
        if not self._floor:
            return None
        state, owners = min(self._floor, key=lambda pair: abs(pair[0].t_ns - t_ns))
        best: tuple[float, str] | None = None
        for track in state.tracks:
            visit = owners.get(track.track)
            if visit is None:
                continue
            points = [(hand.x_m, hand.y_m, hand.z_m) for hand in track.hands] or [(track.x_m, track.y_m, HEAD_M)]
            found = (min(math.dist(point, facing.centre_m) for point in points), visit)
            best = found if best is None else min(best, found)
        return None if best is None else best[1]


def _split(difference: Grams) -> Sequence[list[int]]:
    """Groups of plates that touch and take part in a change, each a list of indices."""
    total = float(np.abs(difference).sum())
    groups: list[list[int]] = []
    for i in range(len(difference)):
        if abs(float(difference[i])) < PLATE_SHARE * total:
            continue
        same = groups and groups[-1][-1] == i - 1 and difference[groups[-1][-1]] * difference[i] > 0
        if same:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups
