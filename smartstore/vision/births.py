"""Who somebody is that has just appeared: nobody new, somebody who was lost, or somebody new; and who has gone.

In: a tentative track and all others. Out: answers; nothing here changes a track.
"""

from collections.abc import Callable, Iterable, Set

from smartstore.vision.ground import Ground
from smartstore.vision.rays import RayTable
from smartstore.vision.tracks import Life, Track, TrackerOptions

Unlike = Callable[[Track, Track], float]
"""Cost of taking two tracks for the same person by their looks."""


def missed_by(track: Track, cameras: Set[str], rays: RayTable, options: TrackerOptions) -> int:
    """How many of ``cameras`` have the place of a tentative track in their picture that one camera alone shows."""
    if len(track.shown) > 1:
        return 0
    looking = rays.looking_at((float(track.mean[0]), float(track.mean[1]), options.chest_m))
    return len(looking & cameras - track.shown.keys())


def stands_apart(track: Track, others: Iterable[Track], options: TrackerOptions) -> bool:
    """Whether everybody known who is near a tentative track was seen beside it."""
    return all(
        known.life is Life.TENTATIVE or known.serial in track.apart_from or track.away_m(known) > options.echo_m
        for known in others
    )


def is_echo(born: Track, others: Iterable[Track], unlike: Unlike, options: TrackerOptions) -> bool:
    """Whether ``born`` is somebody known who was seen beside their place."""
    return any(
        known.life is Life.CONFIRMED
        and known.serial not in born.apart_from
        and born.away_m(known) < options.echo_m
        and unlike(known, born) < options.echo_cost
        for known in others
    )


def continued(born: Track, others: Iterable[Track], unlike: Unlike, t_ns: int, options: TrackerOptions) -> Track | None:
    """The lost track that ``born`` most likely continues."""
    best, least = None, options.recover_cost
    for lost in others:
        if lost.life is not Life.LOST or lost.unseen_s(t_ns) < options.lost_after_s:
            continue
        walked_m = options.recover_speed_m_s * lost.unseen_s(born.born_ns)
        reach_m = min(options.recover_m + max(0.0, walked_m), options.recover_limit_m)
        away = born.away_m(lost) / (options.recover_m if born.expected else reach_m)
        cost = 4.0 * away**2 + unlike(lost, born)
        if away < 1.0 and cost < least:
            best, least = lost, cost
    return best


def stays(track: Track, ground: Ground, t_ns: int, options: TrackerOptions) -> bool:
    """Whether a track is kept: who leaves over the exit is gone, and who is lost inside may turn up again."""
    unseen_s, x_m, y_m = track.unseen_s(t_ns), float(track.mean[0]), float(track.mean[1])
    if ground.beyond_exit_m(x_m, y_m) > options.left_m:
        return False
    if track.life is Life.TENTATIVE:
        return unseen_s <= options.tentative_gap_s
    if unseen_s <= options.forget_at_door_s:
        return True
    at_door = ground.from_exit_m(x_m, y_m) < options.exit_zone_m or ground.beyond_entry_m(x_m, y_m) > -0.1
    return not at_door and unseen_s <= options.forget_s
