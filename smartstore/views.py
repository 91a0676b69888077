"""The people of a message as domain facts: what a camera sees, and what another system that follows people says."""

import numpy as np

from smartstore.domain.people import FollowedPerson, FollowedView, PeopleView, SeenPeople
from smartstore.wire.heard import HeardPeople
from smartstore.wire.messages import Tracks


def people_view(camera: str, message: HeardPeople) -> PeopleView:
    """The people of a message as domain facts."""
    boxes, joints, looks = message.bodies
    scores = np.array([told.score for told in message.told], float)
    return PeopleView(camera, message.t_ns, SeenPeople(boxes, scores, joints, looks))


def followed_view(source: str, message: Tracks) -> FollowedView:
    """The people of another system's message as domain facts."""
    people = tuple(
        FollowedPerson(p.person, p.x_m, p.y_m, p.sigma_m, p.score,
                       {name: (joint[0], joint[1], joint[2], joint[3]) for name, joint in p.joints.items()})
        for p in message.people
    )  # fmt: skip
    return FollowedView(source, message.t_ns, people)
