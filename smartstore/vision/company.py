"""Tracks that run along beside each other: two people, or one person twice.

In: all tracks after a moment, and which of them a view showed apart. Out: of two that no view ever showed apart, the
younger one is given up.
"""

from collections.abc import Sequence, Set

from smartstore.vision.tracks import Life, Track, TrackerOptions, near_pairs


def apart(track: Track, others: Set[int]) -> None:
    """``track`` and the ``others`` (by serial) are surely different people just now: their time together is over."""
    if track.close_since:
        track.close_since = {other: since for other, since in track.close_since.items() if other not in others}


def merge(tracks: Sequence[Track], t_ns: int, options: TrackerOptions) -> None:
    """Ends the younger of two tracks that have run along for long."""
    alive = [track for track in tracks if track.life is not Life.LOST]
    for track in alive:
        if track.close_since:
            apart(track, {other.serial for other in alive if other.away_m(track) >= options.merge_m})
    for j, i in sorted(near_pairs(alive, options.merge_m), key=lambda pair: pair[::-1]):
        younger, older = alive[i], alive[j]
        # Both sides keep the start, and a view that shows both clears both.
        since = younger.close_since.setdefault(older.serial, t_ns)
        since = max(since, older.close_since.setdefault(younger.serial, since))
        if (t_ns - since) / 1e9 >= options.merge_s:
            keep, drop = (older, younger) if older.number or not younger.number else (younger, older)
            drop.give_up()
            keep.seen_ns = max(keep.seen_ns, drop.seen_ns)
