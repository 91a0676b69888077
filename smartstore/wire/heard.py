"""People as a receiver has them: what a camera says of them, with its many numbers as whole arrays.

In: the payload of a people message. Out: its boxes, scores, joints and looks. Nearly all that cameras say is joints: an
object for each of their numbers would cost more than what is worked out with them, so they go from text to arrays.
"""

from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from smartstore.wire.messages import FARTHEST, Message, Probability, SeenPerson, Side

Array = NDArray[np.float64]
JOINTS = 17
_NONE = Raw(b"[]")


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
        # Numba takes longer to load than all else here, and who only sends needs none of it.
        from smartstore.wire import number_kernels

        text = b"".join([text for told in self.told for text in (told.box, told.joints, told.appearance)])
        read = number_kernels.bodies(np.frombuffer(text, np.uint8), len(self.told), JOINTS, FARTHEST)
        boxes, joints, looks, ends = read
        if len(ends) == len(self.told):
            to = ends.tolist()
            return boxes, joints, [looks[begin:end] for begin, end in zip([0, *to], to, strict=False)]
        people = self.people
        boxes = np.array([person.box for person in people], float)
        joints = np.array([person.joints or np.zeros((JOINTS, 3)) for person in people], float)
        return boxes, joints, [np.array(person.appearance, float) for person in people]

    @property
    def people(self) -> list[SeenPerson]:
        """Everybody as the camera sent them."""
        return msgspec.json.decode(msgspec.json.encode(self.told), type=list[SeenPerson])
