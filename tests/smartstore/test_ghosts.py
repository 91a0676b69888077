"""Boxes around nobody at the entry: what one camera shows for long is somebody, unless many others look there."""

from dataclasses import replace
from pathlib import Path

import pytest

from smartstore.domain.people import PeopleView
from smartstore.site import Site, load_site
from smartstore.vision.tracker import FloorTracker
from tests.smartstore.crowd import Cinema, Walker

ENTRY = (1.1, 0.6)


def with_cameras(site: Site, times: int) -> Site:
    """The same store with every camera so many times."""
    cameras = {
        f"{name}-{k}": replace(camera, id=f"{name}-{k}", model=replace(camera.model, camera=f"{name}-{k}"))
        for name, camera in site.cameras.items()
        for k in range(times)
    }
    return replace(site, cameras=cameras)


@pytest.mark.parametrize(("times", "believed"), [(1, 1), (3, 0)])
def test_one_camera_alone_is_believed_after_a_while_but_not_against_many_others(times: int, believed: int) -> None:
    site = with_cameras(load_site(Path("configs/stores/corner.yaml")), times)
    cinema = Cinema(site, seed=3, miss=0.0, false_boxes=0.0)
    views = cinema.views([Walker(lambda t: ENTRY)], 4.0)
    witness = next(view.camera for view in views if view.people)
    tracker = FloorTracker(site)
    states = [
        state
        for view in views
        if (state := tracker.observe([view if view.camera == witness else PeopleView(view.camera, view.t_ns, ())]))
    ]
    assert len(states[-1].tracks) == believed
