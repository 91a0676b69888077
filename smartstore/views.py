"""The people of a message as domain facts: what a camera sees, and what another system that follows people says."""

from itertools import chain

import numpy as np

from smartstore.domain.people import FollowedPerson, FollowedView, PeopleView, SeenPerson
from smartstore.wire.messages import People, Tracks


def people_view(camera: str, message: People) -> PeopleView:
    """The people of a message as domain facts."""
    people = []
    for person in message.people:
        numbers = np.fromiter(chain.from_iterable(person.joints), float)  # several times as fast as an array of lists
        joints = numbers.reshape(17, 3) if person.joints else np.zeros((17, 3))
        left, top, right, bottom = person.box
        box = (left, top, right, bottom)
        people.append(SeenPerson(box, person.score, joints, np.array(person.appearance, float)))
    return PeopleView(camera, message.t_ns, tuple(people))


def followed_view(source: str, message: Tracks) -> FollowedView:
    """The people of another system's message as domain facts."""
    people = tuple(
        FollowedPerson(p.person, p.x_m, p.y_m, p.sigma_m, p.score,
                       {name: (joint[0], joint[1], joint[2], joint[3]) for name, joint in p.joints.items()})
        for p in message.people
    )  # fmt: skip
    return FollowedView(source, message.t_ns, people)
