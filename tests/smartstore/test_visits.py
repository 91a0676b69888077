"""Visits and tracks: who came in, who is whose, who left."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from smartstore.domain.events import CaseRaised, VisitLeft, VisitOpened
from smartstore.domain.people import FloorState, FloorTrack
from smartstore.fusion.gates import BeamBroken, GateEntered, StaffEntered
from smartstore.fusion.visits import VisitKeeper
from smartstore.site import Gate
from tests.builders import at

GATES = (Gate("in", "entry", ((0.6, 0.0), (1.6, 0.0))), Gate("out", "exit", ((4.4, 0.0), (5.4, 0.0))))
Path = Sequence[tuple[float, float, float]]


def history(
    paths: Mapping[int, Path],
    entries: list[tuple[float, str, int]],
    beams: list[float],
    until_s: float = 60.0,
    staff: Sequence[float] = (),
    walls: Sequence[tuple[float, float]] = (),
) -> tuple[VisitKeeper, list[VisitOpened | VisitLeft | CaseRaised]]:
    """What a keeper says about tracks (places by time, 5 Hz), entries (time, visit, party), beams and staff (time)."""
    keeper = VisitKeeper(GATES, walls_m=walls)
    facts: list[tuple[int, int, object]] = []
    for t_s, visit, party in entries:
        facts.append((at(t_s), 0, GateEntered(visit, f"token-{visit}", party, at(t_s), f"gate:{visit}")))
    facts += [(at(t_s), 0, StaffEntered(at(t_s), f"staff:{t_s}")) for t_s in staff]
    facts += [(at(t_s), 1, BeamBroken("out", at(t_s), f"beam:{t_s}")) for t_s in beams]
    for i in range(int(until_s * 5)):
        t_s = i / 5
        tracks = tuple(
            FloorTrack(n, at(t_s), *place(path, t_s), 0, 0, 0.1)
            for n, path in sorted(paths.items())
            if path[0][0] <= t_s <= path[-1][0]
        )
        facts.append((at(t_s), 2, FloorState(at(t_s), tracks)))
    out: list[VisitOpened | VisitLeft | CaseRaised] = []
    for _, _, fact in sorted(facts, key=lambda entry: entry[:2]):
        out += keeper.observe(fact)  # type: ignore[arg-type]
    return keeper, out + list(keeper.flush())


def place(path: Path, t_s: float) -> tuple[float, float]:
    """Linear between the points of a path."""
    for (t0, x0, y0), (t1, x1, y1) in pairwise(path):
        if t0 <= t_s <= t1:
            share = (t_s - t0) / (t1 - t0)
            return x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    return path[-1][1:]


def left(events: list[VisitOpened | VisitLeft | CaseRaised]) -> list[tuple[str, float]]:
    return [(event.visit, (event.t_ns - at(0)) / 1e9) for event in events if isinstance(event, VisitLeft)]


IN, OUT = (1.1, 0.3), (4.9, -0.1)


def test_a_visit_from_gate_to_gate() -> None:
    keeper, events = history({1: [(3, *IN), (20, 2, 5), (30, *OUT)]}, [(1, "anna", 1)], [29.8])
    assert isinstance(events[0], VisitOpened) and events[0].token == "token-anna"
    assert keeper.owners == {1: "anna"}
    assert left(events) == [("anna", 29.8)]


def test_two_who_enter_one_after_the_other() -> None:
    paths = {1: [(3, *IN), (20, 2, 5), (40, *OUT)], 2: [(6, *IN), (20, 4, 5), (30, *OUT)]}
    keeper, events = history(paths, [(1, "anna", 1), (4, "ben", 1)], [29.9, 39.9])
    assert keeper.owners == {1: "anna", 2: "ben"}
    assert left(events) == [("ben", 29.9), ("anna", 39.9)]


def test_a_lost_track_is_taken_up_by_a_new_one_close_by() -> None:
    paths = {1: [(3, *IN), (12, 2, 5)], 2: [(3, 1.3, 0.2), (30, 4, 5)], 7: [(14, 2.4, 5.5), (30, *OUT)]}
    keeper, events = history(paths, [(1, "anna", 1), (1.5, "ben", 1)], [29.9])
    assert keeper.owners[7] == keeper.owners[1] != keeper.owners[2]
    assert left(events) == [(keeper.owners[1], 29.9)]


def test_a_visit_lost_before_the_exit_leaves_with_the_beam() -> None:
    paths = {1: [(3, *IN), (27, 4.7, 2)], 2: [(8, *IN), (50, 2, 6)]}
    _, events = history(paths, [(1, "anna", 1), (6, "ben", 1)], [30.0])
    assert left(events) == [("anna", 30.0)]


def test_a_visit_never_seen_still_leaves() -> None:
    _, events = history({}, [(1, "anna", 1)], [30.0])
    assert left(events) == [("anna", 30.0)]


def test_a_party_leaves_with_its_last_member() -> None:
    paths = {1: [(3, *IN), (30, *OUT)], 2: [(3.6, *IN), (32, *OUT)]}
    keeper, events = history(paths, [(1, "anna", 2)], [29.9, 31.9])
    assert keeper.owners == {1: "anna", 2: "anna"}
    assert left(events) == [("anna", 31.9)]


def test_a_beam_while_everybody_is_far_away_is_nobodys() -> None:
    keeper, events = history({1: [(3, *IN), (60, 2, 6)]}, [(1, "anna", 1)], [30.0])
    assert left(events) == []
    assert keeper.unclaimed_beams == 1


def test_a_silent_beam_does_not_keep_a_visit_for_ever() -> None:
    _, events = history({1: [(3, *IN), (30, *OUT)]}, [(1, "anna", 1)], [])
    assert [visit for visit, _ in left(events)] == ["anna"]


def test_a_long_day_does_not_slow_the_keeper_down() -> None:
    """Visitors come and go for twenty minutes; the keeper remembers only the last of them."""
    paths: dict[int, Path] = {}
    entries, beams = [], []
    for i in range(40):
        start = 30.0 * i
        entries.append((start, f"v{i}", 1))
        paths[i + 1] = [(start + 2, *IN), (start + 12, 2.0, 5.0), (start + 20, *OUT)]
        beams.append(start + 19.9)
    keeper, events = history(paths, entries, beams, until_s=1250)
    assert [visit for visit, _ in left(events)] == [f"v{i}" for i in range(40)]
    assert keeper.remembered <= 4


def test_the_same_entry_twice_is_one_visit() -> None:
    _, events = history({}, [(1, "anna", 1), (1.2, "anna", 1)], [])
    assert len(events) == 1


def test_who_of_a_party_is_lost_is_taken_up_where_they_were_lost() -> None:
    """The other one of the party is in view all the time, far away."""
    paths = {1: [(3, *IN), (50, 4, 5)], 2: [(3.8, *IN), (12, 1, 3)], 3: [(14, 1.2, 3.2), (30, 1.5, 3)]}
    keeper, _ = history(paths, [(1, "anna", 2)], [])
    assert keeper.owners == {1: "anna", 2: "anna", 3: "anna"}


def test_two_of_three_leave_and_the_visit_goes_on() -> None:
    paths = {1: [(3, *IN), (30, *OUT)], 2: [(4, *IN), (20, *OUT)], 3: [(5, *IN), (55, 2, 5)]}
    keeper, events = history(paths, [(1, "anna", 3)], [19.9, 29.9], until_s=56)
    assert left(events) == []
    assert keeper.inside == ["anna"]


def test_whoever_walks_in_behind_somebody_is_noticed_and_takes_nobodys_place() -> None:
    paths = {1: [(3, *IN), (40, *OUT)], 2: [(4, *IN), (15, 2, 5), (25, *OUT)], 3: [(9, *IN), (50, *OUT)]}
    keeper, events = history(paths, [(1.5, "anna", 1), (7.5, "ben", 1)], [24.9, 39.9, 49.9])
    (case,) = [event for event in events if isinstance(event, CaseRaised)]
    assert (case.visit, case.place, case.candidates, case.t_ns) == ("", "in", (), at(4))
    assert keeper.owners == {1: "anna", 3: "ben"}
    assert keeper.strangers == {2}
    assert left(events) == [("anna", 39.9), ("ben", 49.9)]


def test_staff_come_and_go_and_no_visit_is_theirs() -> None:
    paths = {1: [(3, *IN), (25, *OUT)], 2: [(9, *IN), (40, *OUT)]}
    keeper, events = history(paths, [(7.5, "anna", 1)], [24.9, 39.9], staff=[1.5])
    assert not any(isinstance(event, CaseRaised) for event in events)
    assert keeper.owners == {2: "anna"} and keeper.strangers == {1}
    assert left(events) == [("anna", 39.9)]


def test_whoever_waited_long_before_the_palm_scanner_is_bound_all_the_same() -> None:
    outside = (1.1, -0.6)
    paths = {1: [(1, *outside), (14, *outside), (15, *IN), (30, *OUT)]}
    keeper, events = history(paths, [(13.5, "anna", 1)], [29.9], walls=((0, 0), (6, 0), (6, 8), (0, 8)))
    assert keeper.owners == {1: "anna"}
    assert left(events) == [("anna", 29.9)]


def test_a_track_that_begins_deep_in_the_store_is_no_tailgater() -> None:
    _, events = history({1: [(3, *IN), (40, 2, 5)], 2: [(9, 4, 5), (40, 4, 3)]}, [(1, "anna", 1)], [])
    assert not any(isinstance(event, CaseRaised) for event in events)


def test_whoever_looks_in_at_the_entry_and_goes_again_is_no_tailgater() -> None:
    _, events = history({1: [(3, *IN), (20, *IN)]}, [], [])
    assert events == []


def test_staff_who_go_without_a_beam_are_nobodys_receipt() -> None:
    _, events = history({1: [(3, *IN), (25, *OUT)]}, [], [], staff=[1.5])
    assert events == []
