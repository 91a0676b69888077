"""Where people stand: from the joints of one picture to metres on the floor.

In: surveyed cameras and the people they see. Out, per person: position of the body's axis on the floor and body height,
with a covariance that says how well the camera's geometry fixes them.

Each joint stands at a known share of the body height above the floor, so its ray gives a point of the floor that
depends linearly on that height: ``floor = a - b * height``. All joints of a person together are one small weighted
least-squares problem in (x, y, height); joints that disagree with the others (a leaning head, a lifted foot) are
reweighted once, as in iteratively reweighted least squares.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS, SeenPeople
from smartstore.vision import sight_kernels
from smartstore.vision.rays import Numbers, RayTable

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Body:
    """How a standing body relates to one of its points: the point's height is ``share`` of body height."""

    share: float
    height_sigma_m: float
    """Spread of the point's height around its share: gait, posture, proportions."""
    offset_sigma_m: float
    """Horizontal spread around the body's axis: width of the body, stride, lean."""


_HEAD = Body(0.925, 0.06, 0.15)
_BODY: dict[str, Body] = {
    "nose": Body(0.91, 0.06, 0.17),
    "eye": Body(0.935, 0.06, 0.15),
    "ear": _HEAD,
    "shoulder": Body(0.82, 0.05, 0.18),
    "hip": Body(0.53, 0.05, 0.10),
    "knee": Body(0.285, 0.05, 0.14),
    "ankle": Body(0.05, 0.05, 0.17),
}
_KINDS = [name.split("_")[-1] for name in COCO_JOINTS]
_USED = np.array([i for i, kind in enumerate(_KINDS) if kind in _BODY])
"""The joints that are looked at: arms say little about where a body stands."""
_POINTS = [*(_BODY[_KINDS[i]] for i in _USED.tolist()), Body(0.0, 0.05, 0.20), Body(1.0, 0.06, 0.15)]
_LAWS = np.array([(point.share, point.height_sigma_m**2, point.offset_sigma_m**2) for point in _POINTS])


class FloorOptions(NamedTuple):
    """What is assumed of joints, bodies and the survey."""

    min_score: float = 0.42
    """Joints with a lower score are not looked at."""
    pixel_sigma: float = 2.0
    """Spread of a joint in pixels, and in addition ``box_sigma`` of the box's height."""
    box_sigma: float = 0.02
    height_m: float = 1.70
    height_sigma_m: float = 0.20
    survey_sigma_rad: float = 0.006
    """The camera hangs a little off its survey."""
    survey_sigma_m: float = 0.02
    hidden_foot_m: float = 0.5
    """A box whose lower edge lies so much further away than its upper one has no feet in it."""
    min_joints: int = 3
    """With fewer joints the box's edges are used as well."""


@dataclass(frozen=True, slots=True, eq=False)
class Stands:
    """The people of one picture on the floor: ``mean`` (n, 3) of x, y and body height in metres, ``cov`` (n, 3, 3).

    ``known`` (n,) is False where nothing of the picture says where a person stands.
    """

    mean: Array
    cov: Array
    known: NDArray[np.bool_]


def locate(people: SeenPeople, camera: Numbers, table: RayTable, options: FloorOptions) -> Stands:
    """Where everybody stands, whom the cameras of these numbers (n,) see."""
    pixels, scores, sigma_px = sight_kernels.points(
        people.boxes_px, people.joints_px, _USED, table.height_px[camera], options
    )
    sigma_rad = sigma_px / table.focal_px[camera][:, None]
    directions = table.rays(pixels, camera, scores > 0)
    return Stands(*sight_kernels.stands(directions, scores, sigma_rad, table.position_m[camera], _LAWS, options))
