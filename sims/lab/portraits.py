"""Portraits for the examiner: one person per picture, seen from the store's own cameras as if through a long lens.

In: a store document, a number of pictures, a seed. Out: a labelled set as :mod:`sims.lab.dataset` writes it, with what
everybody does. The scenes are the random ones of that set, with all bodies; of each, one person is drawn whose whole
body some camera has in its picture, and that camera is turned and zoomed until the body fills the picture. So the view
is one that the store has, with shelves, goods, gear and light as they come. What is taken away is what says more about
a judge than about what is judged: smallness, and company so near that it is open who is meant. Nothing is chosen by its
result.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.bodies.library import BodyLibrary
from sims.building import Building, load_building
from sims.devices.look import PRESETS, Look
from sims.devices.renderer import PersonLabel, Renderer
from sims.lab.dataset import CATEGORY, Progress, annotation, as_sent, elevation_deg, merge
from sims.lab.scenes import Cast, random_scene, random_stock
from sims.optics import CameraSpec
from sims.scene import BodyState, Scene

KIND = "portrait"
SIDE_PX, RADIUS_PX = 400, 128.0
"""Side of the square picture, and radius of the circle around the middle of the hips that holds all joints."""
SHARD_PICTURES = 25
"""Pictures of one light."""
NEAREST_M = 1.0
FAR_M = 0.42
"""A palm so far from the middle of the hips, on the floor plan, reaches."""
CROUCH = 0.42
"""Hips lower than this share of the height are a crouch."""


@dataclass(frozen=True, slots=True)
class _Sitting:
    """One picture that is to be taken."""

    scene: Scene
    person: BodyState
    camera: CameraSpec


def render_portraits(store: Path, out: Path, pictures: int, seed: int, progress: Progress | None = None) -> int:
    """Renders what is still missing of ``pictures`` portraits under ``out``; returns how many there are.

    Raises :class:`~sims.building.BuildingError` or :class:`~sims.devices.renderer.RendererError`.
    """
    building, library = load_building(store), BodyLibrary.load()
    for number in range(-(-pictures // SHARD_PICTURES)):
        folder = out / f"{light_name(number)}-{number:04d}"
        if not (folder / "labels.json").exists():
            rng = np.random.default_rng(np.random.SeedSequence([seed, 0xFACE, number]))
            _shard(building, library, folder, number, rng)
        if progress is not None:
            progress(min(pictures, (number + 1) * SHARD_PICTURES), pictures)
    return sum(merge(out).values())


def light_name(number: int) -> str:
    """The light of a shard: the store's own lights in turn, and after each of them a random look (``wide``)."""
    return "wide" if number % 2 else PRESETS[number // 2 % len(PRESETS)]


def sittings(building: Building, library: BodyLibrary, rng: np.random.Generator) -> Iterator[_Sitting]:
    """Endless pictures to take, each of another scene, before shelves that stay as they are."""
    heights = tuple(library.height_m(body) for body in range(library.count))
    everybody = Cast(tuple(range(library.count)), (0, 200_000), heights)
    stock = random_stock(building, rng)
    while True:
        scene = replace(random_scene(building, everybody, rng), stock=stock)
        joints = {state.person: library.joints(state) for state in scene.people}
        chances = []
        for state in scene.people:
            others = [joints[other.person] for other in scene.people if other is not state]
            cameras = (c for c in building.cameras.values() if _whole_body_in(c, joints[state.person]))
            near = (zoomed(camera, joints[state.person]) for camera in cameras)
            chances += [_Sitting(scene, state, camera) for camera in near if _alone(camera, others)]
        if chances:
            yield chances[int(rng.integers(len(chances)))]


def zoomed(camera: CameraSpec, joints_m: NDArray[np.float64]) -> CameraSpec:
    """The camera, where it hangs, turned to the middle of the hips, with the focal length that fills ``RADIUS_PX``."""
    middle = joints_m[[11, 12]].mean(axis=0)
    aim = float(middle[0]), float(middle[1]), float(middle[2])
    turned = replace(
        camera, kind=KIND, look_at_m=aim, width_px=SIDE_PX, height_px=SIDE_PX, focal_px=1.0, distortion=(0.0,) * 5
    )
    away = np.linalg.norm(turned.project(joints_m) - SIDE_PX / 2, axis=1)
    return replace(turned, focal_px=RADIUS_PX / float(away.max()))


def doing(state: BodyState, joints_m: NDArray[np.float64], height_m: float) -> str:
    """What somebody does, in a word."""
    middle = joints_m[[11, 12]].mean(axis=0)
    if middle[2] < CROUCH * height_m:
        return "crouching"
    hands = [hand for hand in (state.left_hand_m, state.right_hand_m) if hand is not None]
    if any(math.dist(hand[:2], middle[:2]) > FAR_M for hand in hands):
        return "reaching"
    if state.held:
        return "carrying"
    return "walking" if state.speed_m_s > 0 else "standing"


def _whole_body_in(camera: CameraSpec, joints_m: NDArray[np.float64]) -> bool:
    """Whether all joints lie in the camera's own picture, and not right before its lens."""
    pixels = camera.project(joints_m)
    inside = (pixels >= 0) & (pixels < [camera.width_px, camera.height_px])
    near = np.linalg.norm(joints_m - np.asarray(camera.position_m), axis=1).min() < NEAREST_M
    return bool(np.all(inside)) and not near


def _alone(camera: CameraSpec, others: Sequence[NDArray[np.float64]]) -> bool:
    """Whether nobody else has the middle of the hips within the circle around the body in the picture's middle."""
    middles = [camera.project(joints_m[[11, 12]].mean(axis=0))[0] - SIDE_PX / 2 for joints_m in others]
    return all(not float(np.hypot(*middle)) < RADIUS_PX for middle in middles)


def _shard(building: Building, library: BodyLibrary, folder: Path, number: int, rng: np.random.Generator) -> None:
    """Draws the pictures of one light, then writes their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    light = light_name(number)
    look = Look.random(int(rng.integers(2**31))) if light == "wide" else Look.preset(light)
    painter = Renderer(building, look, library)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for sitting, index in zip(sittings(building, library, rng), range(1, SHARD_PICTURES + 1), strict=False):
        camera = sitting.camera
        picture, labels = painter.render_labelled(sitting.scene, camera)
        name = f"{index:03d}-{camera.id}.jpg"
        (folder / name).write_bytes(as_sent(picture, rng))
        image = {"id": index, "file_name": f"{folder.name}/{name}", "width": SIDE_PX, "height": SIDE_PX}
        images.append(image | {"camera": camera.id, "kind": KIND})
        states = {state.person: state for state in sitting.scene.people}
        for label in labels:
            note = _note(label, states[label.person], camera, library)
            annotations.append(note | {"id": len(annotations) + 1, "image_id": index})
    painter.close()
    info = {"split": "val", "store": building.store, "look": light}
    document = {"info": info, "images": images, "annotations": annotations, "categories": [CATEGORY]}
    partial = folder / "labels.json.part"
    partial.write_text(json.dumps(document))
    partial.replace(folder / "labels.json")


def _note(label: PersonLabel, state: BodyState, camera: CameraSpec, library: BodyLibrary) -> dict[str, Any]:
    return annotation(label) | {
        "body": state.body,
        "outfit": state.outfit,
        "elevation_deg": elevation_deg(camera, label),
        "doing": doing(state, label.joints_m, library.height_m(state.body)),
        "gear": state.gear.kind if state.gear is not None else "",
    }
