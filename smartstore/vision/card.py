"""The model card: how the networks were trained, on what, how good they are, and a picture to look at.

In: labelled sets, the run's checkpoints, exported networks. Out: ``figures.json`` beside the networks with all that was
measured and counted, ``MODEL_CARD.md`` made of it and of the examiner's ``examiner.json``, where that is there too, a
sample picture with the detector's answers drawn, and a sheet of its best, middle and worst cases.
"""

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from smartstore.vision import augment, cases, evaluation, examiner_card, training
from smartstore.vision import landmarks as landmark_cells
from smartstore.vision.detector import LANDMARK_MODEL, PEOPLE_MODEL, REFINEMENT_MODEL, DetectorOptions, OpenVinoDetector
from smartstore.vision.drawing import draw
from smartstore.vision.evaluation import LabelledSet
from smartstore.vision.labels import LabelledPicture, read_labels
from smartstore.vision.people import CANVAS_HEIGHT_PX, CANVAS_WIDTH_PX, LOOKS

CARD, FIGURES, EXAMINER = "MODEL_CARD.md", "figures.json", "examiner.json"
CASES = "detector-cases.jpg"
Progress = Callable[[str, int, int], None]
"""Called with the name of a set, the number of its pictures that are done, and how many it has."""
HEAD = """# Model card: people and their joints

Three networks that this project trained from scratch on its own rendered pictures, as OpenVINO IR (weights rounded to
16 bits on disk, computed in 32 bits), the two that see pictures with a copy in eight bits (`…-int8.xml`) that is a
third of the work.

- `people.xml` ({people_mb} MB): Ultralytics YOLO11 at width {width}, one class, taught on {canvas} px. It looks at
  every picture {looks} times, on {canvases} px; weighted boxes fusion.
- `landmarks.xml` ({landmarks_mb} MB): a U-shaped convolutional network; crops of {crop} px, 17 COCO joints as
  probabilities over {cells} cells, and whether each can be seen. It looks at everybody 4 times, plainly and
  {closer} times larger, each in the mirror, too; the probabilities' mean counts. A joint's score is that probability
  times how concentrated the place is: below about 0.5 it is a guess at something covered.
- `refinement.xml` ({refinement_mb} MB): perceptrons side by side that judge once more everybody whom the other two may
  have seen, by boxes, neighbours, the picture's edges and all joints together: sides of the box, the probability that
  it is right, places of covered joints. The score is the geometric mean of that probability and the first score.

## Training

{pictures} rendered pictures ({empty} of them of nobody) of the stores {stores} with {people}
people (25 of the 30 bodies), all ceiling and shelf cameras, in the shipped look and in random looks with moved
cameras; sensor noise and JPEG as on the wire.

- People: {people_recipe}, cosine, averaged weights, no mosaic.
- Joints: {landmarks_recipe}, cosine, averaged weights; cross-entropy against Gaussians,
  wrists weighted {wrist_weight} times, covered joints {covered_weight} times.
- Refinement: {refinement_recipe}, cosine, averaged weights, on {rows} boxes ({right} of them right) that the other two
  found in pictures they had not learned from; joints by OKS, boxes by overlap.

{note}Nothing pretrained, no photographs, no personal data.

```
smartstore sim dataset --out data/runs/people --pictures 3600
smartstore sim dataset --out data/runs/people --pictures 2400 --wide
for store in market forecourt stand; do
  smartstore sim dataset --store configs/stores/$store.yaml --out data/runs/$store --pictures 400
  smartstore sim dataset --store configs/stores/$store.yaml --out data/runs/$store --pictures 600 --wide
done
smartstore sim dataset --out data/runs/unseen --pictures 1800 --seed 2
smartstore sim dataset --out data/runs/unseen --pictures 600 --seed 2 --wide
smartstore vision train --dataset data/runs/people --dataset data/runs/market --dataset data/runs/forecourt \\
  --dataset data/runs/stand
smartstore vision examine --out data/models/examiner.json --sheet data/pictures/examiner.jpg
```

Rendering and training go on where they were interrupted.

## How good

On bodies, outfits and scenes never trained on (for random looks also looks and camera poses, for another store also
its rooms, shelves, goods and cameras), from JPEGs, all networks in a row: `smartstore vision eval`. Precision and
recall at the default score of {score}; PCK is the share of seen joints within a fifth of the torso's length, over the
people who were found. The same numbers are in `figures.json`.

OKS is given four times. The first is the hardest: **over all labelled joints of everybody.** The labels know every
joint inside the picture, also those behind a shelf, a neighbour or the own back ({covered:.0f} % of all), which no
annotator of photographs would mark, and those of people far away; the area that sets the tolerance is 0.53 of the box
around what shows. The second is the same by COCO's rule on who counts, as published figures have it: people with an
area of at least 32² px ([keypoint evaluation](https://cocodataset.org/#keypoints-eval)). The third leaves out people of
whom less than half shows, the fourth counts the seen joints only.
"""
ROWS = (
    ("pictures / people", "pictures", "people"),
    ("person AP50 / AP50–95", "boxes.ap50", "boxes.ap50_95"),
    ("… people of whom at least half shows", "boxes_half_shows.ap50", "boxes_half_shows.ap50_95"),
    ("recall / precision", "at_default_score.recall", "at_default_score.precision"),
    ("recall of ceiling / shelf cameras", "recall_by_kind.ceiling", "recall_by_kind.shelf"),
    ("**OKS AP50 / AP50–95, end to end**", "keypoints_oks.ap50", "keypoints_oks.ap50_95"),
    (
        "… people of COCO's sizes, from 32² px (all joints, covered ones too)",
        "keypoints_oks_coco_sizes.ap50",
        "keypoints_oks_coco_sizes.ap50_95",
    ),
    ("… at least half shows", "keypoints_oks_half_shows.ap50", "keypoints_oks_half_shows.ap50_95"),
    ("… seen joints only", "keypoints_oks_seen_joints.ap50", "keypoints_oks_seen_joints.ap50_95"),
    ("PCK@0.2 torso, all seen joints", "pck_torso.all"),
    ("… wrists", "pck_torso.wrists"),
    ("… wrists, ceiling / shelf cameras", "pck_torso_ceiling.wrists", "pck_torso_shelf.wrists"),
    ("… all joints / wrists, people at least 80 px tall", "pck_torso_80px_tall.all", "pck_torso_80px_tall.wrists"),
    ("… wrists that score at least 0.5", "pck_torso.wrists_claimed_right"),
    ("share of seen wrists that do", "pck_torso.wrists_claimed_share_of_seen"),
)
CASES_SAID = """
Good and bad cases, chosen by their measured score alone: `data/pictures/detector-cases.jpg` (top row best, middle row
around the median, bottom row worst of 150 validation pictures spread evenly; red boxes are people who were missed)."""
LIMITS = """
## Limits

Trained on few floor plans and on rendered people only: on photographs expect much less; for real footage set public
Ultralytics pose weights. A wrist inside a shelf or behind its owner is a guess and scores low. Heads
seen from straight above and people cut by the picture's edge are the commonest misses.
"""


def write(
    datasets: Sequence[Path],
    run: Path,
    models: Path,
    picture: Path,
    note: str = "",
    others: Mapping[str, Path] | None = None,
    progress: Progress | None = None,
) -> None:
    """Judges the networks in ``models``, learned from ``datasets``, on validation pictures of the first of these and,
    side by side, of ``others``, sets by the names that the card gives them; writes card, figures and pictures.

    ``note`` says what was special about this training.
    """
    dataset, sets = datasets[0], {}
    for name, chosen in judged_sets(dataset, others or {}).items():
        say = None if progress is None else _named(progress, name)
        sets[name] = evaluation.evaluate_set(chosen, models, progress=say)
    document = {"training": facts(datasets, run) | {"note": note}, "sets": sets}
    (models / FIGURES).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    refresh(models)
    sheet(dataset, models, picture)
    cases_sheet(dataset, models, picture.with_name(CASES))


def judged_sets(dataset: Path, others: Mapping[str, Path]) -> dict[str, LabelledSet]:
    """The held-out sets that the card compares, by the names it gives them."""
    looks = {picture.look.partition("-")[0] for picture in read_labels(dataset, "val")}
    named = (("shipped look", "shipped"), ("random looks and camera poses", "wide"))
    sets = {name: LabelledSet(dataset, looks=look) for name, look in named if look in looks}
    return sets | {name: LabelledSet(other) for name, other in others.items()}


def refresh(models: Path) -> None:
    """Writes the card from the figures in ``models``: again after the examiner has judged, for one."""
    (models / CARD).write_text(text(models), encoding="utf-8")


def text(models: Path) -> str:
    """The card of the networks in ``models``, by the figures there: nothing in it is written by hand."""
    figures = json.loads((models / FIGURES).read_text(encoding="utf-8"))
    sets = figures["sets"]
    lines = [*_head(figures["training"], models), "", *_table(sets)]
    lines += _steps(sets, "by_height_px", "height in the picture, px (how far away)")
    lines += _steps(sets, "by_share_visible", "share of the body that shows")
    lines += [*CASES_SAID.splitlines(), ""]
    if (models / EXAMINER).is_file():
        lines += examiner_card.section(json.loads((models / EXAMINER).read_text(encoding="utf-8")))
    return "\n".join([*lines, *LIMITS.strip().splitlines()]) + "\n"


def _named(progress: Progress, name: str) -> evaluation.Progress:
    return lambda done, of: progress(name, done, of)


def facts(datasets: Sequence[Path], run: Path) -> dict[str, Any]:
    """What was trained for how long on how much."""
    trained = [picture for dataset in datasets for picture in read_labels(dataset, "train")]
    people = [person for picture in trained for person in picture.people if not person.crowd]
    sight = np.concatenate([person.joints_px[:, 2] for person in people] or [np.ones(1, np.float32)])
    return {
        "pictures": len(trained),
        "empty": sum(not picture.people for picture in trained),
        "stores": sorted({picture.store for picture in trained}),
        "people": len(people),
        "epochs": {name: training.epochs_done(run / f"{name}.pt") for name in training.FIRST + training.SECOND},
        "refinement": training.refinement_rows(run),
        "covered": round(100 * float((sight == 1).sum() / max(1, (sight > 0).sum())), 2),
    }


def sheet(dataset: Path, models: Path, out: Path, columns: int = 2, rows: int = 3) -> None:
    """Six validation pictures, four of ceiling and two of shelf cameras, with the detector's answers drawn."""
    detector = OpenVinoDetector(models / PEOPLE_MODEL, models / LANDMARK_MODEL)
    held_out = [p for p in read_labels(dataset, "val") if len(p.people) >= 2]
    shipped = [p for p in held_out if p.path.parent.name.startswith("shipped")] or held_out
    chosen = _spread([p for p in shipped if p.kind == "ceiling"], 4) + _spread(
        [p for p in shipped if p.kind == "shelf"], 2
    )
    tiles = []
    for labelled in chosen[: columns * rows]:
        image = labelled.read()
        tile = draw(image, detector.detect([image])[0])
        tiles.append(cv2.resize(tile, (640, 360), interpolation=cv2.INTER_AREA))
    lines = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles) - columns + 1, columns)]
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), np.ascontiguousarray(np.vstack(lines)[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])


def cases_sheet(dataset: Path, models: Path, out: Path, most: int = 150) -> list[float]:
    """The best, middle and worst of up to ``most`` validation pictures, spread evenly, by measured score."""
    detector = OpenVinoDetector(models / PEOPLE_MODEL, models / LANDMARK_MODEL)
    pictures = _spread(read_labels(dataset, "val"), most)
    return cases.write(pictures, lambda picture: evaluation.look(detector, picture), draw, out)


def _spread(pictures: list[LabelledPicture], count: int) -> list[LabelledPicture]:
    """Some pictures evenly out of many: no choice of the prettiest."""
    return [pictures[i * len(pictures) // count] for i in range(min(count, len(pictures)))]


def _head(about: dict[str, Any], models: Path) -> list[str]:
    from smartstore.vision.networks import PEOPLE_SCALE

    people, landmarks, refinement = training.PEOPLE, training.LANDMARKS, training.REFINEMENT
    said = HEAD.format(
        **about
        | {
            "note": textwrap.fill(about["note"], 118) + "\n\n" if about["note"] else "",
            "stores": ", ".join(about["stores"]),
        },
        width=PEOPLE_SCALE[1],
        wrist_weight=f"{augment.JOINT_WEIGHTS[9]:g}",
        covered_weight=f"{augment.COVERED_WEIGHT:g}",
        canvas=f"{CANVAS_WIDTH_PX} × {CANVAS_HEIGHT_PX}",
        looks=len(LOOKS),
        canvases=", ".join(
            f"{look.width_px} × {look.height_px}{' in the mirror' if look.mirrored else ''}" for look in LOOKS
        ),
        closer=landmark_cells.CLOSER,
        crop=f"{landmark_cells.CROP_WIDTH_PX} × {landmark_cells.CROP_HEIGHT_PX}",
        cells=f"{landmark_cells.CELLS_X} × {landmark_cells.CELLS_Y}",
        people_mb=_megabytes(models / PEOPLE_MODEL),
        landmarks_mb=_megabytes(models / LANDMARK_MODEL),
        refinement_mb=_megabytes(models / REFINEMENT_MODEL),
        refinement_recipe=f"{about['epochs']['refinement']} epochs, batch {refinement.batch}, AdamW {refinement.rate}",
        rows=about["refinement"]["rows"],
        right=about["refinement"]["right"],
        people_recipe=f"{about['epochs']['people']} epochs, batch {people.batch}, AdamW {people.rate}",
        landmarks_recipe=f"{about['epochs']['landmarks']} epochs, batch {landmarks.batch}, AdamW {landmarks.rate}",
        score=DetectorOptions().min_score,
    )
    return said.splitlines()


def _megabytes(network: Path) -> float:
    return round(network.with_suffix(".bin").stat().st_size / 1e6, 2)


def _steps(figures: dict[str, Any], key: str, title: str) -> list[str]:
    """A table of people, recall, PCK of all joints and of wrists by the steps of one quantity, for every set."""
    names = [name for name in figures if key in figures[name]]
    steps = sorted(
        {step for name in names for step in figures[name][key]}, key=lambda step: float(step.rstrip("+").split("-")[0])
    )
    if not steps:
        return []
    said = "people / recall / joints / wrists"
    lines = [
        "",
        f"| {title} | " + " | ".join(f"{name}: {said}" for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for step in steps:
        rows = [figures[name][key].get(step, {}) for name in names]
        cells = [" / ".join(_number(row, what) for what in ("people", "recall", "joints", "wrists")) for row in rows]
        lines.append("| " + " | ".join([step, *cells]) + " |")
    return lines


def _table(figures: dict[str, Any]) -> list[str]:
    names = list(figures)
    lines = ["| measure | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, *keys in ROWS:
        values = [" / ".join(_number(figures[name], key) for key in keys) for name in names]
        lines.append("| " + " | ".join([title, *values]) + " |")
    return lines


def _number(figures: dict[str, Any], key: str) -> str:
    """The figure at ``part.key``, to three digits where it is a share."""
    value: Any = figures
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
