"""Which pictures of a camera are worth a look: those in which something moved since the last one that was looked at.

In: small grey copies of the pictures of one camera (:func:`glance`) with their times. Out: for each, whether the
network looks, whether only a shelf reader does, or whether the last answer still holds. It depends on nothing but the
pictures and their times, so that the same feed gives the same looks.

Two pictures are set to the same brightness and compared in patches of about 12 pixels of a 640 pixel picture: sensor
noise averages out, a camera that exposes anew moves nothing. A cell has moved if it differs by more than a few grey
levels and by several times what the middle cell does. Differences count against the last picture that was *looked at*:
what creeps adds up until it is seen. How many cells must have moved depends on who is known to be there: of somebody
small, far away, a few cells are a step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture's width and height."""
NS_PER_S = 1_000_000_000
GLANCE_WIDTH_PX = 160
"""Width of the small copies that are compared."""
LIGHTS = 2.5
"""Brighter or darker by more than this factor is no camera that exposes anew: lights, or a covered lens."""


@dataclass(frozen=True, slots=True)
class MovementOptions:
    """When the last answer still holds. Shares are of the picture's area, times are event time."""

    skip: bool = True
    """Whether pictures without movement are left out at all."""
    levels: float = 6.0
    """A cell has moved if it differs by more grey levels..."""
    noise: float = 8.0
    """...and by this many times the difference of the middle cell."""
    moved_share: float = 0.0014
    """So much moved where nobody was seen calls for the network: a head a few metres away."""
    body_share: float = 0.06
    """So much of somebody's box moved calls for it too, however small they are in the picture."""
    stirred_share: float = 0.0002
    """So much moved keeps a shelf reader reading: a small item."""
    floor_s: float = 2.0
    """A picture is looked at at least this often while somebody is in view..."""
    empty_floor_s: float = 5.0
    """...and this often while nobody is."""
    quiet_s: float = 3.0
    """A shelf reader rests once nothing stirred for so long."""


class Verdict(Enum):
    """What a picture is worth."""

    LOOK = "look"
    """The network looks, and a shelf reader reads."""
    READ = "read"
    """People are where they were; a shelf reader reads."""
    REPEAT = "repeat"
    """The last answers hold."""


class MovementWatch:
    """Compares the pictures of one camera."""

    def __init__(self, options: MovementOptions) -> None:
        self._options = options
        self._seen: Grey | None = None
        """The picture that was last looked at."""
        self._looked_ns = self._stirred_ns = 0
        self._boxes: tuple[Box, ...] = ()
        self._unsure = False

    def observe(self, t_ns: int, small: Grey) -> Verdict:
        """What the picture taken at ``t_ns`` is worth. After LOOK, say with :meth:`answered` what was seen."""
        seen, options = self._seen, self._options
        if seen is None or seen.shape != small.shape or t_ns < self._looked_ns or not options.skip:
            self._stirred_ns = t_ns
            return self._look(t_ns, small)
        cells = moved_cells(small, seen, options)
        if np.count_nonzero(cells) >= options.stirred_share * cells.size:
            self._stirred_ns = t_ns
        floor_s = options.floor_s if self._boxes else options.empty_floor_s
        waited_ns = t_ns - self._looked_ns
        if self._unsure or waited_ns >= floor_s * NS_PER_S or self._somebody_moved(cells):
            return self._look(t_ns, small)
        return Verdict.READ if t_ns - self._stirred_ns < options.quiet_s * NS_PER_S else Verdict.REPEAT

    def answered(self, boxes: Sequence[Box]) -> None:
        """The look found people in these boxes. Fewer than before are only believed after another look."""
        self._unsure = len(boxes) < len(self._boxes)
        self._boxes = tuple(boxes)

    def _somebody_moved(self, cells: Bools) -> bool:
        """Whether enough of a known person moved, or of the room around them."""
        height, width = cells.shape
        outside = cells.copy()
        for left, top, right, bottom in self._boxes:
            rows = slice(max(0, int(top * height)), max(1, math.ceil(bottom * height)))
            columns = slice(max(0, int(left * width)), max(1, math.ceil(right * width)))
            box = cells[rows, columns]
            if np.count_nonzero(box) >= max(2.0, self._options.body_share * box.size):
                return True
            outside[rows, columns] = False
        return bool(np.count_nonzero(outside) >= self._options.moved_share * cells.size)

    def forget(self) -> None:
        """The next picture is looked at, whatever it shows."""
        self._seen = None

    def _look(self, t_ns: int, small: Grey) -> Verdict:
        self._seen, self._looked_ns = small, t_ns
        return Verdict.LOOK


def moved_cells(one: Grey, other: Grey, options: MovementOptions) -> Bools:
    """The cells in which two glances of the same shape differ."""
    import cv2

    gain = (float(np.median(one[::3, ::3])) + 1.0) / (float(np.median(other[::3, ::3])) + 1.0)
    difference = np.abs(cv2.blur(cv2.addWeighted(one, 1.0, other, -gain, 0.0, dtype=cv2.CV_32F), (3, 3)))
    middle = float(np.median(difference[::3, ::3]))
    if middle > options.levels or not 1 / LIGHTS < gain < LIGHTS:  # everything is different: another view, or light
        return np.ones(one.shape, bool)
    return np.asarray(difference > max(options.levels, options.noise * middle))


def glance(jpeg: bytes, width_px: int) -> Grey | None:
    """A JPEG of ``width_px`` as a small grey picture, at a fraction of the cost of reading all of it; None if it cannot
    be read.
    """
    import cv2

    ways = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
    by = max((factor for factor in ways if width_px >= factor * GLANCE_WIDTH_PX), default=1)
    try:
        small = cv2.imdecode(np.frombuffer(jpeg, np.uint8), ways.get(by, cv2.IMREAD_GRAYSCALE))
    except cv2.error:
        return None
    if small is None:
        return None
    if small.shape[1] > 2 * GLANCE_WIDTH_PX:
        height = max(1, round(small.shape[0] * GLANCE_WIDTH_PX / small.shape[1]))
        small = cv2.resize(small, (GLANCE_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
