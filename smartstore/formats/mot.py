"""People as the MOT Challenge writes them: one line per person and frame.

``frame, id, left, top, width, height, score, x, y, z``: frames count from 1, pixels, and -1 where there is none; x, y
and z are metres on the floor here. In: such a file. Out: what a camera says, or what a system that follows people says;
and such files out of these messages.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from smartstore.formats.text import FormatError, finite, read_text
from smartstore.wire.messages import Floor, People, SeenPerson, TrackedPerson, Tracks

M = TypeVar("M", People, Floor)
NONE = -1.0
LONGEST_FRAMES = 1_000_000


@dataclass(frozen=True, slots=True)
class MotRow:
    """One person in one frame; ``box_px`` is left, top, width, height."""

    frame: int
    person: int
    box_px: tuple[float, float, float, float]
    score: float
    place_m: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Timing:
    """When frames were taken: frame 1 at ``start_ns`` (UTC), ``fps`` of them a second."""

    start_ns: int
    fps: float

    def t_ns(self, frame: int) -> int:
        """The time of a frame."""
        return self.start_ns + round((frame - 1) / self.fps * 1e9)


def read_mot(path: Path) -> list[MotRow]:
    """The rows of a file, frame by frame.

    Raises:
        FormatError: the file or a line of it cannot be read.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row([finite(part) for part in line.replace(";", ",").split(",")]))
        except ValueError as error:
            raise FormatError(
                f"{path}:{number}: is not frame,id,left,top,width,height,score[,x,y,z] ({error})"
            ) from error
    if not rows:
        raise FormatError(f"{path}: is empty; a file without people has nothing to import")
    return sorted(rows, key=lambda row: row.frame)


def people_messages(rows: Iterable[MotRow], timing: Timing, size_px: tuple[int, int]) -> Iterator[People]:
    """What a camera says that sees these boxes; frames without anybody are said, too."""
    frames = _frames(rows)
    for seq, frame in enumerate(range(min(frames), max(frames) + 1)):
        people = [
            SeenPerson(box=(x, y, x + w, y + h), score=min(max(row.score, 0.0), 1.0))
            for row in frames.get(frame, []) for x, y, w, h in [row.box_px]
        ]  # fmt: skip
        yield People(seq=seq, t_ns=timing.t_ns(frame), width=size_px[0], height=size_px[1], people=people)


def tracks_messages(rows: Iterable[MotRow], timing: Timing) -> Iterator[Tracks]:
    """What a system says that follows these people on the floor; rows without a place are left out."""
    frames = _frames(rows)
    for seq, frame in enumerate(range(min(frames), max(frames) + 1)):
        people = [
            TrackedPerson(person=str(row.person), x_m=row.place_m[0], y_m=row.place_m[1],
                          score=min(max(row.score, 0.0), 1.0))
            for row in frames.get(frame, []) if row.place_m[:2] != (NONE, NONE)
        ]  # fmt: skip
        yield Tracks(seq=seq, t_ns=timing.t_ns(frame), people=people)


def mot_of_people(messages: Iterable[People]) -> str:
    """The boxes of one camera; nobody has an id there."""
    lines = []
    for frame, message in enumerate(_in_time(messages), start=1):
        for person in message.people:
            left, top, right, bottom = person.box
            lines.append(_line(frame, -1, (left, top, right - left, bottom - top), person.score, (NONE, NONE, NONE)))
    return "".join(lines)


def mot_of_floor(messages: Iterable[Floor]) -> str:
    """Where the pipeline had everybody on the floor."""
    lines = []
    for frame, message in enumerate(_in_time(messages), start=1):
        for track in message.tracks:
            lines.append(_line(frame, track.track, (NONE,) * 4, 1.0, (track.x_m, track.y_m, 0.0)))
    return "".join(lines)


def _row(values: list[float]) -> MotRow:
    if len(values) < 7:
        raise ValueError(f"{len(values)} numbers")
    frame, person = int(values[0]), int(values[1])
    if not 1 <= frame <= LONGEST_FRAMES or frame != values[0]:
        raise ValueError(f"frame {values[0]:g}")
    x, y, z = (values[7:10] + [NONE] * 3)[:3]
    if values[2:6] != [NONE] * 4 and (values[4] <= 0 or values[5] <= 0):
        raise ValueError("a box without size")
    return MotRow(frame, person, (values[2], values[3], values[4], values[5]), values[6], (x, y, z))


def _frames(rows: Iterable[MotRow]) -> dict[int, list[MotRow]]:
    frames: dict[int, list[MotRow]] = {}
    for row in rows:
        frames.setdefault(row.frame, []).append(row)
    return frames


def _in_time(messages: Iterable[M]) -> list[M]:
    return sorted(messages, key=lambda message: message.t_ns)


def _line(frame: int, person: int, box_px: tuple[float, ...], score: float, place_m: tuple[float, float, float]) -> str:
    return ",".join([str(frame), str(person), *(f"{value:.10g}" for value in (*box_px, score, *place_m))]) + "\n"
