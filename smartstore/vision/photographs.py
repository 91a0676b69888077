"""Our detector before real photographs, and what smallness alone does to the examiner.

In: the few photographs of people that ship inside installed or published packages (ultralytics' assets, scikit-image's
sample data), the examiner, our networks. Out: who is found, and how far our joints agree with the examiner's. Boxes
and hips of the people were marked by eye; of joints nobody knows the truth here, so this is agreement, not accuracy.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from smartstore.vision import people as boxes
from smartstore.vision.blazepose import BlazePose, Circle, Verdict
from smartstore.vision.detector import LANDMARK_MODEL, MODELS, PEOPLE_MODEL, DetectorOptions, OpenVinoDetector
from smartstore.vision.evaluation import RIGHT, joint_errors
from smartstore.vision.labels import read_rgb
from smartstore.vision.wheels import File, Wheel, fetched

Figures = dict[str, Any]
Picture = NDArray[np.uint8]
_SAMPLES = Wheel("scikit-image", "0.26.0", ("manylinux_2_28_x86_64", "cp311"))
HEIGHTS_PX = (240, 160, 120, 100, 80, 60)
SURE = 0.5


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person of a photograph, marked by eye in its pixels: box, and middle of the hips (below the picture's edge
    where the picture ends above them).
    """

    box_px: tuple[float, float, float, float]
    hips_px: tuple[float, float]

    @property
    def circle(self) -> Circle:
        """About where BlazePose's own detector would put them: the trunk and head are half of a body."""
        return Circle(*self.hips_px, 1.1 * (self.hips_px[1] - self.box_px[1]))


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph and the people in it."""

    file: str | File
    people: tuple[Somebody, ...]

    @property
    def name(self) -> str:
        """Its file name."""
        return self.file if isinstance(self.file, str) else self.file.member.rpartition("/")[2]

    def read(self, cache: Path | None) -> Picture | None:
        """The picture; None where ultralytics is not installed."""
        if isinstance(self.file, File):
            return read_rgb(fetched(self.file, cache))
        package = importlib.util.find_spec("ultralytics")
        if package is None or package.origin is None:
            return None
        return read_rgb(Path(package.origin).parent / "assets" / self.file)


PHOTOGRAPHS = (
    Photograph(
        "bus.jpg",
        (
            Somebody((48, 398, 246, 904), (146, 655)),
            Somebody((222, 406, 345, 860), (290, 635)),
            Somebody((668, 390, 810, 878), (775, 630)),
            Somebody((0, 550, 64, 874), (8, 700)),
        ),
    ),
    Photograph("zidane.jpg", (Somebody((743, 42, 1142, 720), (915, 700)), Somebody((123, 193, 1150, 720), (450, 725)))),
    Photograph(
        File(
            _SAMPLES,
            "skimage/data/astronaut.png",
            "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        ),
        (Somebody((30, 8, 360, 512), (185, 510)),),
    ),
    Photograph(
        File(
            _SAMPLES,
            "skimage/data/camera.png",
            "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
        ),
        (Somebody((20, 62, 330, 512), (75, 400)),),
    ),
)


def compare(examiner: BlazePose, models: Path | None = None, cache: Path | None = None) -> Figures:
    """Per photograph: people there, found by our detector at its default score and at a low one, false boxes, and the
    share of joints that lie within a fifth of the torso of the examiner's, from the boxes found and, to judge the
    landmark network alone, from the marked ones.
    """
    folder = models or MODELS
    low = OpenVinoDetector(folder / PEOPLE_MODEL, folder / LANDMARK_MODEL, DetectorOptions(min_score=0.1))
    bold = DetectorOptions().min_score
    figures: Figures = {}
    for photograph in PHOTOGRAPHS:
        picture = photograph.read(cache)
        if picture is None:
            continue
        seen = low.detect([picture])[0]
        pairs = [(p, [s for s in seen if _overlap(p.box_px, s.box_px) >= 0.5]) for p in photograph.people]
        verdicts = [settled(examiner, picture, p.circle) for p in photograph.people]
        own = [low.joints(picture, p.box_px) for p in photograph.people]
        found = [(v, f[0].joints_px) for v, (_, f) in zip(verdicts, pairs, strict=True) if f]
        sure = [s for s in seen if s.score >= bold]
        right = sum(any(s.score >= bold for s in f) for _, f in pairs)
        figures[photograph.name] = {
            "people": len(photograph.people),
            "found": right,
            "found_at_0.1": sum(bool(f) for _, f in pairs),
            "other_boxes": len(sure) - right,
            "examiner_presence": [round(v.presence, 3) for v in verdicts],
            "agreement_on_found_boxes": agreement(found, picture),
            "agreement_on_marked_boxes": agreement(list(zip(verdicts, own, strict=True)), picture),
        }
    figures["all"] = {
        key: sum(f[key] for f in figures.values()) for key in ("people", "found", "found_at_0.1", "other_boxes")
    } | {
        f"agreement_on_{which}_boxes": _pooled([f[f"agreement_on_{which}_boxes"] for f in figures.values()])
        for which in ("found", "marked")
    }
    return figures


def shrunk(examiner: BlazePose, cache: Path | None = None) -> Figures:
    """How far the examiner agrees with itself when photographs shrink: people of a height in pixels, sent as JPEG like
    a camera's. It is the most that rendered people of that height can be expected to reach.
    """
    figures: Figures = {}
    for height in HEIGHTS_PX:
        pairs = []
        for photograph in PHOTOGRAPHS:
            picture = photograph.read(cache)
            for somebody in photograph.people if picture is not None else ():
                assert picture is not None
                before = settled(examiner, picture, somebody.circle)
                scale = height / (2 * before.circle.radius_px)
                if scale < 1 and before.presence >= SURE:
                    after = _small(examiner, picture, before.circle, scale)
                    pairs.append(agreement([(before, after)], picture))
        figures[f"{height} px"] = _pooled(pairs)
    return figures


def settled(examiner: BlazePose, picture: Picture, circle: Circle, looks: int = 3) -> Verdict:
    """The examiner's answer after it has moved the circle to where it believes it should be."""
    verdict = examiner.look(picture, circle)
    for _ in range(looks - 1):
        verdict = examiner.look(picture, verdict.circle)
    return verdict


def agreement(pairs: list[tuple[Verdict, NDArray[np.float64]]], picture: Picture) -> Figures:
    """Share of the joints that the examiner sees in the picture of which the other answer lies within a fifth of the
    examiner's torso; all and wrists.
    """
    height, width = picture.shape[:2]
    right, there = np.zeros((0, 17), bool), np.zeros((0, 17), bool)
    for verdict, joints in pairs:
        theirs = verdict.joints_px
        inside = (theirs[:, 0] >= 0) & (theirs[:, 0] < width) & (theirs[:, 1] >= 0) & (theirs[:, 1] < height)
        there = np.vstack([there, inside & (theirs[:, 2] >= SURE)])
        right = np.vstack([right, joint_errors(theirs, joints) <= RIGHT])
    wrists = [9, 10]
    return {
        "joints": int(there.sum()),
        "right": int((right & there).sum()),
        "wrists": int(there[:, wrists].sum()),
        "wrists_right": int((right & there)[:, wrists].sum()),
    }


def _small(examiner: BlazePose, picture: Picture, circle: Circle, scale: float) -> NDArray[np.float64]:
    """The examiner's joints on the shrunk picture, in pixels of the large one."""
    little = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, sent = cv2.imencode(".jpg", np.ascontiguousarray(little[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 82])
    received = np.ascontiguousarray(cv2.imdecode(sent, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)
    there = Circle(circle.x_px * scale, circle.y_px * scale, circle.radius_px * scale, circle.lean_rad)
    joints = examiner.look(received, there).joints_px
    return np.asarray(np.column_stack([joints[:, :2] / scale, joints[:, 2]]))


def _pooled(parts: list[Figures]) -> Figures:
    total = {key: sum(p[key] for p in parts) for key in ("joints", "right", "wrists", "wrists_right")}
    share = round(total["right"] / total["joints"], 3) if total["joints"] else None
    wrists = round(total["wrists_right"] / total["wrists"], 3) if total["wrists"] else None
    return total | {"share": share, "wrists_share": wrists, "people": len(parts)}


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return float(boxes.overlaps(np.array(one, np.float32), np.array([other], np.float32))[0])
