"""The pictures around a case: those that show its place, kept within bounds."""

from pathlib import Path

import pytest

from smartstore.domain.events import CaseRaised
from smartstore.ledger.album import Album
from smartstore.site import Site, load_site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode
from smartstore.wire.messages import Frame
from tests.smartstore.judged import PLACE, ROOT, S, a_store, doubt, opened


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(ROOT / "configs/stores/corner.yaml")


def picture(camera: str, t_s: float) -> Packet:
    t_ns = round(t_s * S)
    frame = Frame(seq=0, t_ns=t_ns, width=64, height=48, jpeg=b"\xff\xd8" + f"{camera}{t_s:.1f}".encode())
    return encode(topics.FRAME, "corner", camera, frame)


def test_a_case_keeps_the_pictures_that_show_its_place_around_its_time(site: Site, tmp_path: Path) -> None:
    with a_store(site, pictures=tmp_path / "cases") as store:
        for tenth in range(0, 140, 2):
            for camera in site.cameras:
                store.service.handle(picture(camera, tenth / 10))
        store.tells(opened(), doubt(site))
        (review,) = [r.message for r in store.heard() if r.channel is topics.REVIEW]
        (raised,) = store.journal.of_kind(CaseRaised)
    assert (review.fixture, review.shelf, review.facing) == ("g1", "g1-2", PLACE)
    assert isinstance(raised, CaseRaised)
    assert [p.file for p in raised.pictures] == [p.file for p in review.pictures]
    by_camera = {camera: [p.t_ns / S for p in raised.pictures if p.camera == camera] for camera in site.cameras}
    shown = {camera for camera, times in by_camera.items() if times}
    assert set(site.watchers_of("g1")) < shown, "the shelf's own camera, and from above"
    assert len(shown) <= len(site.watchers_of("g1")) + 2
    for times in (by_camera[camera] for camera in shown):
        assert len(times) == 5
        assert all(abs(t - wanted) < 0.3 for t, wanted in zip(times, (6, 8, 9, 10, 11), strict=True))
    first = raised.pictures[0]
    assert (
        tmp_path / "cases" / first.file
    ).read_bytes() == b"\xff\xd8" + f"{first.camera}{first.t_ns / S:.1f}".encode()


def test_a_case_at_a_gate_shows_the_gate_from_above(site: Site, tmp_path: Path) -> None:
    album = Album(site, tmp_path)
    for camera in site.cameras:
        album.see(camera, picture(camera, 9.0))
    case = CaseRaised("", 9 * S, "tailgater:7", "tailgater-7", "entry", ())
    seen = [taken.camera for taken in album.illustrated(case).pictures]
    assert len(seen) == 2
    assert {site.cameras[camera].kind for camera in seen} == {"ceiling"}


def test_a_picture_of_long_before_shows_nothing_of_a_case(site: Site, tmp_path: Path) -> None:
    album = Album(site, tmp_path)
    for camera in site.cameras:
        album.see(camera, picture(camera, 4.0))
    assert album.illustrated(doubt(site)).pictures == ()


def test_pictures_kept_for_cases_are_bounded(site: Site, tmp_path: Path) -> None:
    album = Album(site, tmp_path)
    for tenth in range(6000):
        album.see(next(iter(site.cameras)), picture("any", tenth / 10))
        album.see("nobody's", picture("any", tenth / 10))
    kept = album._kept
    assert set(kept) == set(site.cameras)
    assert sum(len(pictures) for pictures in kept.values()) == 75
    times = [t_ns for t_ns, _ in kept[next(iter(site.cameras))]]
    assert (times[0], times[-1]) == (570 * S, 599_600_000_000), "half a minute, however fast the camera"


def test_without_a_folder_or_with_a_full_disk_a_case_is_still_a_case(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    for folder in (None, tmp_path / "file"):
        album = Album(site, folder)
        for camera in site.cameras:
            album.see(camera, picture(camera, 9.0))
            album.see(camera, Packet(picture(camera, 9.0).topic, b"", properties={"t_ns": "yesterday"}))
        assert album.illustrated(doubt(site)).pictures == ()
    assert "cannot be kept" in caplog.text
