"""The people of a message as domain facts: what a camera sees, and what another system that follows people says."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from smartstore.domain.people import Array, FollowedPerson, FollowedView, PeopleView, SeenPerson
from smartstore.wire.messages import People, Tracks


def people_view(camera: str, message: People) -> PeopleView:
    """The people of a message as domain facts."""
    looked = [person.joints for person in message.people if person.joints]
    # Several times as fast as an array of lists.
    joints = iter(np.fromiter(chain.from_iterable(chain.from_iterable(looked)), float).reshape(-1, 17, 3))
    looks = _vectors([person.appearance for person in message.people])
    people = tuple(
        SeenPerson(person.box, person.score, next(joints) if person.joints else np.zeros((17, 3)), look)
        for person, look in zip(message.people, looks, strict=True)
    )
    return PeopleView(camera, message.t_ns, people)


def _vectors(rows: Sequence[Sequence[float]]) -> Iterable[Array]:
    """Each of these as an array; at once where they are equally long."""
    if len({*map(len, rows)}) == 1:
        return np.fromiter(chain.from_iterable(rows), float).reshape(len(rows), -1)
    return [np.array(row, float) for row in rows]


def followed_view(source: str, message: Tracks) -> FollowedView:
    """The people of another system's message as domain facts."""
    people = tuple(
        FollowedPerson(p.person, p.x_m, p.y_m, p.sigma_m, p.score,
                       {name: (joint[0], joint[1], joint[2], joint[3]) for name, joint in p.joints.items()})
        for p in message.people
    )  # fmt: skip
    return FollowedView(source, message.t_ns, people)
