"""Cameras as surveys have them: turned about their axis, with an axis beside the middle, through lenses that fold."""

import numpy as np
import pytest

from sims.optics import CameraSpec
from smartstore.domain.geometry import camera_model

LENS = (1280, 720, 1000.0, (-0.483, 0.077, 0.0, 0.0, 0.0))
PLACE, AIM = (1.0, 2.0, 2.4), (3.0, 1.0, 1.0)
POINTS = [(3.0, 1.0, 1.0), (3.2, 1.4, 0.6), (2.6, 0.6, 1.3)]


def test_the_axis_meets_the_picture_where_the_survey_says() -> None:
    middle = camera_model("c", *LENS, PLACE, AIM).project([AIM])
    beside = camera_model("c", *LENS, PLACE, AIM, 0.0, (600.0, 330.0)).project([AIM])
    assert middle[0] == pytest.approx((640.0, 360.0))
    assert beside[0] == pytest.approx((600.0, 330.0))


def test_a_camera_whose_right_side_hangs_down_shows_the_horizon_rising_to_the_right() -> None:
    level, turned = (camera_model("c", *LENS, PLACE, (1.0 + 5, 2.0, 2.4), roll) for roll in (0.0, 20.0))
    right = [(6.0, 1.0, 2.4)]
    assert level.project(right)[0][1] == pytest.approx(360.0)
    assert turned.project(right)[0][1] < 330.0


def test_the_building_and_the_product_read_the_same_camera() -> None:
    spec = CameraSpec("c", "ceiling", PLACE, AIM, *LENS, fps=5.0, roll_deg=-14.0, principal_px=(640.0, 330.0))
    model = camera_model("c", *LENS, PLACE, AIM, -14.0, (640.0, 330.0))
    assert spec.project(POINTS) == pytest.approx(model.project(POINTS))


@pytest.mark.parametrize("lens", [(-0.674, 0.786, 0.0, 0.0, 0.0), LENS[3], (-0.1, 0.0, 0.0, 0.0, 0.0)])
def test_rays_go_back_through_what_they_are_seen_at(lens: tuple[float, ...]) -> None:
    model = camera_model("c", 1280, 720, 1000.0, lens, PLACE, AIM, 12.0, (640.0, 330.0))
    ways = np.subtract(POINTS, PLACE)
    assert model.rays(model.project(POINTS)) == pytest.approx(ways / np.linalg.norm(ways, axis=1)[:, None], abs=1e-5)


def test_what_a_lens_cannot_show_has_a_ray_all_the_same() -> None:
    model = camera_model("c", *LENS, PLACE, AIM)
    rays = model.rays([(-40.0, 360.0), (0.0, 0.0), (640.0, 360.0)])
    assert np.isfinite(rays).all()
    assert np.linalg.norm(rays, axis=1) == pytest.approx([1.0, 1.0, 1.0])
