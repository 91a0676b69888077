"""What may have been taken and put back behind somebody's back.

In: dips of hands, views of facings, and the changes that were decided. Out: pairs of dips into a facing that no scale
weighs, that its camera did not see between them, and that no change accounts for. One hand in a facing that looks as
before took nothing, for it would be missing; of two, the second may have put back what the first one took.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from smartstore.fusion.dips import Dip
from smartstore.fusion.touches import FacingsSeen

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class UnseenOptions:
    """Times in seconds."""

    clear_s: float = 0.45
    """A view that stays clear for so long shows what there is; shorter ones are flickers."""
    settle_s: float = 4.0
    """After a facing came back into view, for its change to be decided and its neighbours to be seen."""
    patience_s: float = 15.0
    """Nothing waits longer than this for a neighbour that still is hidden."""
    apart_s: float = 0.8
    """Shortest time between a take and its put-back."""
    pass_s: float = 0.7
    """A hand on its way to or from a low shelf passes the others, at most this long before or after."""
    margin_s: float = 0.6
    """A dip this far from a change may be its hand; a hand may leave, or come, this long beside a hidden stretch."""
    fit: float = 0.25
    """A dip that fits a facing less does not concern it."""
    memory_s: float = 90.0


@dataclass(frozen=True, slots=True)
class Moved:
    """``count`` items at ``facing`` were moved by ``visit``, somewhen between the two times."""

    visit: str
    t_start_ns: int
    t_end_ns: int
    facing: str
    count: int


@dataclass(frozen=True, slots=True)
class UnseenPair:
    """Two dips of one visit between which ``facings`` (best first, with 0..1) may have lost an item and got it back."""

    visit: str
    first: Dip
    second: Dip
    facings: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A facing was out of sight between the two times."""

    facing: str
    start_ns: int
    end_ns: int


@dataclass
class UnseenPairs:
    """Keeps dips and hidden stretches until each stretch is accounted for."""

    weighed: Callable[[str, int], bool]
    """Whether a scale carries a facing at a time."""
    options: UnseenOptions = field(default_factory=UnseenOptions)
    _clear: dict[tuple[str, str], int] = field(default_factory=dict)
    """Since when a camera has seen a facing clearly."""
    _shown: dict[str, int] = field(default_factory=dict)
    """When a facing was last seen clearly for long enough."""
    _dips: list[Dip] = field(default_factory=list)
    _used: list[Dip] = field(default_factory=list)
    """Dips of pairs that were told."""
    _moved: list[Moved] = field(default_factory=list)
    _past: list[_Stretch] = field(default_factory=list)
    """Stretches that are over and not yet accounted for."""

    def add(self, dips: Iterable[Dip]) -> None:
        """Dips that ended."""
        self._dips += dips

    def moved(self, moved: Moved) -> None:
        """A change was decided."""
        self._moved.append(moved)

    def see(self, seen: FacingsSeen) -> None:
        """One view of a camera."""
        for facing in seen.hidden:
            self._clear.pop((seen.camera, facing), None)
        for facing in seen.clear:
            since_ns = self._clear.setdefault((seen.camera, facing), seen.t_ns)
            if (seen.t_ns - since_ns) / NS_PER_S >= self.options.clear_s:
                shown_ns = self._shown.get(facing, since_ns)
                if since_ns > shown_ns:
                    self._over(_Stretch(facing, shown_ns, since_ns))
                self._shown[facing] = seen.t_ns

    def _over(self, stretch: _Stretch) -> None:
        if not self.weighed(stretch.facing, stretch.end_ns) and len(self._near(stretch)) >= 2:
            self._past.append(stretch)

    def _near(self, stretch: _Stretch) -> list[Dip]:
        """The dips into a facing while it was hidden."""
        margin = round(self.options.margin_s * NS_PER_S)
        return [
            dip
            for dip in self._dips
            if dip.t_end_ns >= stretch.start_ns - margin
            and dip.t_start_ns <= stretch.end_ns + margin
            and dip.fit(stretch.facing) >= self.options.fit
        ]

    @property
    def since(self) -> int | None:
        """The begin of the oldest stretch that waits."""
        return min((stretch.start_ns for stretch in self._past), default=None)

    def due(self, now_ns: int, owners: Mapping[int, str], final: bool) -> list[UnseenPair]:
        """The pairs that can be told at ``now_ns``; each is told once, for the facing that it fits best."""
        settle_ns, patience_ns = (round(s * NS_PER_S) for s in (self.options.settle_s, self.options.patience_s))
        found: list[UnseenPair] = []
        for stretch in [s for s in self._past if final or now_ns - s.end_ns >= settle_ns]:
            pair = self._pair(stretch, owners)
            best = pair and self._fitting(pair[1], pair[2])
            if pair and best:
                place, _, hidden_still = best[0]
                if place != stretch.facing and hidden_still and not final and now_ns - stretch.end_ns < patience_ns:
                    continue
                found.append(UnseenPair(*pair, tuple((name, fit) for name, fit, _ in best)))
                self._used += pair[1:]
            self._past.remove(stretch)
        self._forget(now_ns)
        return found

    def _pair(self, stretch: _Stretch, owners: Mapping[int, str]) -> tuple[str, Dip, Dip] | None:
        """The two dips of one visit that are left over in a stretch and fit its facing best."""
        best: tuple[float, str, Dip, Dip] | None = None
        left = self._left(owners)
        near = [dip for dip in self._near(stretch) if dip in left]
        for i, first in enumerate(near):
            for second in near[i + 1 :]:
                visit = owners.get(first.track)
                if visit is None or owners.get(second.track) != visit:
                    continue
                if (second.t_start_ns - first.t_end_ns) / NS_PER_S < self.options.apart_s:
                    continue
                fit = first.fit(stretch.facing) * second.fit(stretch.facing)
                if best is None or fit > best[0]:
                    best = (fit, visit, first, second)
        return None if best is None else best[1:]

    def _left(self, owners: Mapping[int, str]) -> list[Dip]:
        """The dips that no change needs: every item that was moved takes the dip that fits it best."""
        left = [dip for dip in self._dips if dip not in self._used and not self._passes(dip)]
        margin = round(self.options.margin_s * NS_PER_S)
        for moved in sorted(self._moved, key=lambda moved: (moved.t_end_ns - moved.t_start_ns, moved.t_start_ns)):
            for _ in range(moved.count):
                fits = [
                    (dip.fit(moved.facing), -dip.t_start_ns, dip)
                    for dip in left
                    if dip.t_end_ns >= moved.t_start_ns - margin
                    and dip.t_start_ns <= moved.t_end_ns + margin
                    and owners.get(dip.track) == moved.visit
                ]
                own = [fit for fit in fits if fit[0] > 0]
                if own:
                    left.remove(max(own, key=lambda fit: fit[:2])[2])
        return left

    def _passes(self, dip: Dip) -> bool:
        """Whether a dip is a hand on its way to or from a low shelf."""
        near_ns = round(self.options.pass_s * NS_PER_S)
        return not dip.low and any(
            other.low
            and other.track == dip.track
            and other.t_start_ns - near_ns <= dip.t_end_ns
            and dip.t_start_ns <= other.t_end_ns + near_ns
            for other in self._dips
        )

    def _fitting(self, first: Dip, second: Dip) -> list[tuple[str, float, bool]]:
        """Facings that nobody saw between two dips, best first; and whether each still is hidden."""
        out = []
        for name, fit in first.facings:
            both = fit * second.fit(name)
            still = self._shown.get(name, second.t_end_ns) < first.t_end_ns
            was = any(
                past.facing == name and past.start_ns <= first.t_end_ns and past.end_ns >= second.t_start_ns
                for past in self._past
            )
            if both > 0 and (still or was):
                out.append((name, round(both, 6), still))
        return sorted(out, key=lambda entry: (-entry[1], entry[0]))

    def _forget(self, now_ns: int) -> None:
        oldest = now_ns - round(self.options.memory_s * NS_PER_S)
        self._dips = [dip for dip in self._dips if dip.t_end_ns > oldest]
        self._used = [dip for dip in self._used if dip.t_end_ns > oldest]
        self._moved = [moved for moved in self._moved if moved.t_end_ns > oldest]
