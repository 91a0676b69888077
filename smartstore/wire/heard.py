"""People and weights as a receiver has them: what cameras and scales say, with its many numbers as whole arrays.

In: the payload of a message. Out: boxes, scores, joints and looks, or grams. Nearly all that is said in a store is such
numbers: an object for each would cost more than what is worked out with them, so they go from text to arrays.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from types import ModuleType

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from smartstore.wire.messages import (
    FARTHEST,
    HEAVIEST,
    Message,
    People,
    Period,
    Plates,
    Probability,
    ScaleBatch,
    SeenPerson,
    Side,
)  # fmt: skip

Array = NDArray[np.float64]
JOINTS = 17
_NONE = Raw(b"[]")


@cache
def _kernels() -> ModuleType:
    """The compiled loops, once something is heard: Numba takes longer to load than all else, and who only sends needs
    none of it.
    """
    from smartstore.wire import number_kernels

    return number_kernels


class Told(Struct, frozen=True, kw_only=True):
    """A :class:`SeenPerson` whose lists of numbers are still text."""

    box: Raw
    score: Probability
    joints: Raw = _NONE
    appearance: Raw = _NONE


class HeardPeople(Message, frozen=True, kw_only=True, dict=True):
    """A :class:`~smartstore.wire.messages.People` that has arrived."""

    width: Side
    height: Side
    told: list[Told] = msgspec.field(name="people")

    def __post_init__(self) -> None:
        """Refuses numbers that are none."""
        _ = self.bodies

    @cached_property
    def bodies(self) -> tuple[Array, Array, Sequence[Array]]:
        """Everybody's box (n, 4): left, top, right, bottom, px; their joints (n, 17, 3): x px, y px and score, zeros
        where they were not looked for; and their appearance, empty where the camera gives none.
        """
        text = b"".join([text for told in self.told for text in (told.box, told.joints, told.appearance)])
        people, first = len(self.told), 4 * len(self.told)
        numbers = np.empty((4 + 3 * JOINTS) * people + len(text) // 2 + 1)
        ends = _kernels().bodies(np.frombuffer(text, np.uint8), people, JOINTS, FARTHEST, numbers)
        if len(ends) == people:
            begin = (4 + 3 * JOINTS) * people
            to = ends.tolist()
            looks = [numbers[begin:end] for begin, end in zip([begin, *to], to, strict=False)]
            return numbers[:first].reshape(people, 4), numbers[first:begin].reshape(people, JOINTS, 3), looks
        seen = msgspec.json.decode(msgspec.json.encode(self), type=People).people
        boxes = np.array([person.box for person in seen], float)
        joints = np.array([person.joints or np.zeros((JOINTS, 3)) for person in seen], float)
        return boxes, joints, [np.array(person.appearance, float) for person in seen]

    @property
    def people(self) -> list[SeenPerson]:
        """Everybody as the camera sent them."""
        return msgspec.json.decode(msgspec.json.encode(self.told), type=list[SeenPerson])


class HeardBatch(Message, frozen=True, kw_only=True, dict=True):
    """A :class:`~smartstore.wire.messages.ScaleBatch` that has arrived."""

    period_ns: Period
    plates: Plates
    text: Raw = msgspec.field(name="grams")

    def __post_init__(self) -> None:
        """Refuses numbers that are none."""
        _ = self.weights

    @cached_property
    def weights(self) -> Array:
        """Grams, one row per sample and one column per plate; NaN where a plate gave no number."""
        rows = _kernels().rows(np.frombuffer(self.text, np.uint8), len(self.plates), HEAVIEST)
        return rows if len(rows) else np.array(self.grams, float)

    @property
    def grams(self) -> list[list[float | None]]:
        """The same as it was sent; null where a plate gave no number."""
        return msgspec.json.decode(msgspec.json.encode(self), type=ScaleBatch).grams
