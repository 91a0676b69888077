"""People as COCO's keypoint annotations: pictures, boxes, and 17 joints each.

In: such a JSON file. Out: what a camera says that saw them; and the other way round. COCO has no times and no scores of
joints: a picture's time is its ``t_ns`` where it has one, as files written here do, and else follows from its place in
the list; scores are ``scores``, and else what the visibility says (0 not there, 1 hidden, 2 seen).
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from smartstore.domain.people import COCO_JOINTS
from smartstore.formats.mot import Timing
from smartstore.formats.text import FormatError, read_text
from smartstore.wire.messages import LATEST_NS, People, SeenPerson

_SEEN = {0: 0.0, 1: 0.5, 2: 1.0}
_SKELETON = (
    (16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9), (8, 10), (9, 11),
    (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7),
)  # fmt: skip


def read_coco(path: Path, timing: Timing) -> list[People]:
    """The pictures of a file as messages, in time.

    Raises:
        FormatError: the file cannot be read, or something in it is not as COCO has it.
    """
    try:
        found = json.loads(read_text(path))
        pictures = {picture["id"]: picture for picture in found["images"]}
        people: dict[Any, list[SeenPerson]] = {number: [] for number in pictures}
        for index, entry in enumerate(found["annotations"]):
            if entry["image_id"] not in people:
                raise ValueError(f"annotations[{index}] is of picture {entry['image_id']}, which is not there")
            people[entry["image_id"]].append(_person(entry))
        messages = [
            _message(picture, frame, people[number], timing)
            for frame, (number, picture) in enumerate(pictures.items(), 1)
        ]
    except KeyError as error:
        raise FormatError(f"{path}: has no {error.args[0]!r} where COCO has it") from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise FormatError(f"{path}: is not COCO's keypoint format ({' '.join(str(error).split())})") from error
    if not messages:
        raise FormatError(f"{path}: has no pictures; there is nothing to import")
    return sorted(messages, key=lambda message: message.t_ns)


def coco_document(camera: str, messages: Iterable[People]) -> dict[str, Any]:
    """The people that one camera saw, as a document for JSON."""
    pictures: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, message in enumerate(sorted(messages, key=lambda message: message.t_ns), start=1):
        pictures.append({
            "id": number, "file_name": f"{camera}/{message.t_ns}.jpg", "width": message.width, "height": message.height,
            "t_ns": message.t_ns,
        })  # fmt: skip
        annotations += [
            {"id": len(annotations) + n, "image_id": number, **entry}
            for n, entry in enumerate(map(_entry, message.people), start=1)
        ]
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO_JOINTS),
                "skeleton": [list(pair) for pair in _SKELETON]}  # fmt: skip
    return {"info": {"description": f"people seen by {camera}"}, "images": pictures, "annotations": annotations,
            "categories": [category]}  # fmt: skip


def _entry(person: SeenPerson) -> dict[str, Any]:
    left, top, right, bottom = person.box
    joints = person.joints or [(0.0, 0.0, 0.0)] * len(COCO_JOINTS)
    seen = [2 if score > 0 else 0 for *_, score in joints]
    return {
        "category_id": 1, "iscrowd": 0, "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top), "score": person.score, "num_keypoints": sum(v > 0 for v in seen),
        "keypoints": [value for (x, y, _), v in zip(joints, seen, strict=True) for value in (x, y, v)],
        "scores": [score for *_, score in joints],
    }  # fmt: skip


def _person(entry: dict[str, Any]) -> SeenPerson:
    left, top, width, height = _numbers(entry["bbox"], 4)
    if width <= 0 or height <= 0:
        raise ValueError(f"annotation {entry.get('id')} has a box without size")
    flat = _numbers(entry.get("keypoints") or [0] * 51, 51)
    scores = _numbers(entry["scores"], 17) if "scores" in entry else [_SEEN.get(int(v), 1.0) for v in flat[2::3]]
    joints = [(x, y, min(max(s, 0.0), 1.0)) for x, y, s in zip(flat[::3], flat[1::3], scores, strict=True)]
    (score,) = _numbers([entry.get("score", 1.0)], 1)
    seen = any(joint[2] > 0 for joint in joints)
    return SeenPerson(box=(left, top, left + width, top + height), score=min(max(score, 0.0), 1.0),
                      joints=joints if seen else [])  # fmt: skip


def _message(picture: dict[str, Any], frame: int, people: list[SeenPerson], timing: Timing) -> People:
    width, height = int(picture["width"]), int(picture["height"])
    t_ns = int(picture.get("t_ns", timing.t_ns(frame)))
    if not (1 <= width <= 16384 and 1 <= height <= 16384) or not 0 <= t_ns <= LATEST_NS:
        raise ValueError(f"picture {picture['id']} has no possible size or time")
    return People(seq=frame - 1, t_ns=t_ns, width=width, height=height, people=people)


def _numbers(values: Any, count: int) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{count} finite numbers were expected, {len(numbers)} are there")
    return numbers
