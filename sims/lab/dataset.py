"""Renders a labelled set for the detector: JPEGs as cameras send them and COCO keypoint labels.

In: a store document, a number of pictures, a seed. Out: a folder of numbered shards (``shipped-0003/…jpg`` and
``labels.json``) and, over all of them, ``train.json`` and ``val.json`` in COCO's keypoint format. A shard is a function
of the seed and its number alone and its labels are written last, so an interrupted run goes on where it stopped. Every
sixth shard is for validation: its bodies, outfits, scenes and (with ``wide``) looks and camera poses are in no other.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.bodies.library import BodyLibrary
from sims.building import Building, load_building
from sims.devices.jpeg import encoded, spoilt
from sims.devices.labels import PersonLabel
from sims.devices.look import Look
from sims.devices.renderer import Renderer
from sims.lab.scenes import Cast, random_scene
from sims.optics import CameraSpec

SHARD_PICTURES = 100
VAL_EVERY = 6
SPLITS = ("train", "val")
EMPTY_KEPT = {"train": 0.8, "val": 0.12}
"""Share of the pictures with nobody in them that are kept: shelves that are never shown alone become people."""
LEAST_SHOWN, LEAST_SIDE_PX = 0.12, 7
"""People of whom less shows (share of the body, pixels) are labelled as a crowd, which trainers and judges skip."""
JOINT_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee",
    "left_ankle", "right_ankle",
)  # fmt: skip
CATEGORY = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(JOINT_NAMES), "skeleton": []}
Progress = Callable[[int, int], None]
"""Called with the number of pictures done and wanted."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One folder of the set: its number, its split, and whether its look is drawn at random."""

    number: int
    wide: bool
    pictures: int = SHARD_PICTURES
    scale: float = 1.0
    """Resolution as a share of the cameras' own."""
    held_out: bool = False
    """Whether this shard is for validation whatever its number."""

    @property
    def name(self) -> str:
        """Folder name."""
        return f"{'wide' if self.wide else 'shipped'}-{self.number:04d}"

    @property
    def split(self) -> str:
        """``train`` or ``val``."""
        return "val" if self.held_out or self.number % VAL_EVERY == VAL_EVERY - 1 else "train"

    def generator(self, seed: int) -> np.random.Generator:
        """The shard's own randomness."""
        return np.random.default_rng(np.random.SeedSequence([seed, int(self.wide), self.number]))


def render_dataset(
    store: Path,
    out: Path,
    pictures: int,
    seed: int,
    wide: bool = False,
    progress: Progress | None = None,
    shard_pictures: int = SHARD_PICTURES,
    scale: float = 1.0,
    held_out: bool = False,
) -> dict[str, int]:
    """Renders what is still missing of ``pictures`` pictures under ``out``; returns the number of pictures per split.

    Shards hold ``shard_pictures`` (a ``wide`` shard has one look), drawn at ``scale`` times the cameras' resolution.
    With ``held_out`` all of them are for validation, with bodies and outfits of no training picture.
    Raises :class:`~sims.building.BuildingError` or :class:`~sims.devices.renderer.RendererError`.
    """
    building = load_building(store)
    library = BodyLibrary.load()
    count = max(1, -(-pictures // shard_pictures))
    shards = [Shard(i, wide, shard_pictures, scale, held_out) for i in range(count)]
    painter = None if wide else Renderer(building, Look.shipped(), library, scale)
    for index, shard in enumerate(shards):
        if not (out / shard.name / "labels.json").exists():
            _render_shard(building, library, out, shard, seed, painter)
        if progress is not None:
            progress((index + 1) * shard_pictures, len(shards) * shard_pictures)
    return merge(out)


def merge(out: Path) -> dict[str, int]:
    """Writes ``train.json`` and ``val.json`` over all shards that are complete; returns their numbers of pictures."""
    counts = {}
    for split in SPLITS:
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for path in sorted(out.glob("*-[0-9][0-9][0-9][0-9]/labels.json")):
            shard = json.loads(path.read_text())
            if shard["info"]["split"] != split:
                continue
            first = len(images)
            store = shard["info"]["store"]
            images += [image | {"id": image["id"] + first, "store": store} for image in shard["images"]]
            for note in shard["annotations"]:
                annotations.append(note | {"id": len(annotations) + 1, "image_id": note["image_id"] + first})
        document = {"images": images, "annotations": annotations, "categories": [CATEGORY]}
        (out / f"{split}.json").write_text(json.dumps(document))
        counts[split] = len(images)
    return counts


def cast(library: BodyLibrary, split: str) -> Cast:
    """The people of a split: every sixth body and the outfits from 100,000 on are for validation."""
    held_out = split == "val"
    bodies = tuple(i for i in range(library.count) if (i % VAL_EVERY == VAL_EVERY - 1) == held_out)
    heights = tuple(library.height_m(i) for i in range(library.count))
    return Cast(bodies, (100_000, 200_000) if held_out else (0, 100_000), heights)


def _render_shard(
    building: Building, library: BodyLibrary, out: Path, shard: Shard, seed: int, painter: Renderer | None
) -> None:
    """Draws the pictures of one shard, then writes its labels."""
    rng = shard.generator(seed)
    folder = out / shard.name
    folder.mkdir(parents=True, exist_ok=True)
    own = None
    if painter is None:
        own = painter = Renderer(_moved(building, rng), Look.random(int(rng.integers(2**31))), library, shard.scale)
    shown = views(painter, cast(library, shard.split), rng, EMPTY_KEPT[shard.split])
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (camera, picture, labels, people) in enumerate(shown):
        if number >= shard.pictures:
            break
        name = f"{number:03d}-{camera.id}.jpg"
        (folder / name).write_bytes(as_sent(picture, rng))
        height, width = picture.shape[:2]
        image = {"id": number + 1, "file_name": f"{shard.name}/{name}", "width": width, "height": height}
        images.append(image | {"camera": camera.id, "kind": camera.kind})
        for label in labels:
            note = annotation(label) | {"body": people[label.person][0], "outfit": people[label.person][1]}
            note["elevation_deg"] = elevation_deg(camera, label)
            annotations.append(note | {"id": len(annotations) + 1, "image_id": number + 1})
    if own is not None:
        own.close()
    info = {"split": shard.split, "seed": seed, "store": building.store, "wide": shard.wide}
    document = {"info": info, "images": images, "annotations": annotations, "categories": [CATEGORY]}
    partial = folder / "labels.json.part"
    partial.write_text(json.dumps(document))
    partial.replace(folder / "labels.json")


def views(
    painter: Renderer, who: Cast, rng: np.random.Generator, empty_kept: float = EMPTY_KEPT["val"]
) -> Iterator[tuple[CameraSpec, NDArray[np.uint8], list[PersonLabel], dict[str, tuple[int, int]]]]:
    """Endless pictures: of every scene two or three ceiling and one or two shelf cameras.

    Of pictures with nobody in them a share of ``empty_kept`` is kept.
    """
    cameras = painter.building.cameras
    kinds = {kind: [c for c in cameras.values() if c.kind == kind] for kind in ("ceiling", "shelf")}
    while True:
        scene = random_scene(painter.building, who, rng)
        people = {state.person: (state.body, state.outfit) for state in scene.people}
        for kind, most in (("ceiling", 3), ("shelf", 2)):
            among = kinds[kind]
            chosen = rng.permutation(len(among))[: int(rng.integers(most - 1, most + 1))]
            for index in chosen:
                picture, labels = painter.render_labelled(scene, among[index].id)
                if labels or rng.random() < empty_kept:
                    yield among[index], picture, labels, people


def annotation(label: PersonLabel) -> dict[str, Any]:
    """A label as a COCO keypoint annotation (without ids)."""
    left, top, right, bottom = label.box_px
    x0, y0, x1, y1 = label.full_box_px
    width, height = right - left, bottom - top
    sight = label.visibility.astype(int)
    joints = np.where(sight[:, None] > 0, np.nan_to_num(label.joints_px), 0.0)
    keypoints = [
        v for (x, y), s in zip(joints, sight, strict=True) for v in (round(float(x), 2), round(float(y), 2), int(s))
    ]
    crowd = label.visible < LEAST_SHOWN or min(width, height) < LEAST_SIDE_PX
    return {
        "category_id": 1,
        "bbox": [left, top, width, height],
        "area": round(width * height, 1),
        "iscrowd": int(crowd),
        "keypoints": keypoints,
        "num_keypoints": 0 if crowd else int((sight > 0).sum()),
        "visible": round(label.visible, 3),
        "full_bbox": [round(v, 1) for v in (x0, y0, x1 - x0, y1 - y0)],
    }


def elevation_deg(camera: CameraSpec, label: PersonLabel) -> float:
    """How steeply the camera looks down at the middle of the hips; 90 is from straight above."""
    x, y, z = np.asarray(camera.position_m) - label.joints_m[[11, 12]].mean(axis=0)
    return round(math.degrees(math.atan2(z, math.hypot(x, y))), 1)


def as_sent(picture: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """The picture as a JPEG after a sensor of random gain and noise."""
    noisy = spoilt(picture, float(rng.uniform(0.85, 1.15)), float(rng.uniform(1.0, 5.0)), rng)
    return encoded(noisy, int(rng.integers(72, 93)))


def _moved(building: Building, rng: np.random.Generator) -> Building:
    """The building with its cameras hung somewhat elsewhere."""
    cameras = {}
    for camera in building.cameras.values():
        x, y, z = np.asarray(camera.position_m) + rng.uniform(-0.3, 0.3, 3) * [1, 1, 0.6]
        low, high = np.array(building.walls_m).min(axis=0) + 0.1, np.array(building.walls_m).max(axis=0) - 0.1
        place = (
            float(np.clip(x, low[0], high[0])),
            float(np.clip(y, low[1], high[1])),
            float(min(z, building.ceiling_m - 0.05)),
        )
        aim = np.asarray(camera.look_at_m) + rng.uniform(-0.4, 0.4, 3)
        focal = float(camera.focal_px * rng.uniform(0.88, 1.12))
        cameras[camera.id] = replace(
            camera, position_m=place, look_at_m=(float(aim[0]), float(aim[1]), float(aim[2])), focal_px=focal
        )
    return replace(building, cameras=cameras)


def main() -> None:
    """``python -m sims.lab.dataset``."""
    parser = argparse.ArgumentParser(description="Render a labelled set of people for the detector.")
    parser.add_argument("--store", type=Path, default=Path("configs/stores/corner.yaml"))
    parser.add_argument("--out", type=Path, default=Path("data/runs/people"))
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--wide", action="store_true", help="random looks and moved cameras instead of the shipped look"
    )
    parser.add_argument("--shard", type=int, default=SHARD_PICTURES, help="pictures per shard")
    parser.add_argument("--scale", type=float, default=1.0, help="resolution as a share of the cameras' own")
    parser.add_argument("--held-out", action="store_true", help="all for validation: bodies no training has seen")
    given = parser.parse_args()
    counts = render_dataset(
        given.store,
        given.out,
        given.pictures,
        given.seed,
        given.wide,
        lambda done, of: print(f"{done}/{of}", flush=True),
        given.shard,
        given.scale,
        given.held_out,
    )
    print(counts)


if __name__ == "__main__":
    main()
