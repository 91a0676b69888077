"""``python -m smartstore.vision.train``: train, export, judge the two networks and write the model card.

In: a labelled set. Out: checkpoints in a run folder, OpenVINO files, figures, ``MODEL_CARD.md`` and a sample picture.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from smartstore.vision.detector import MODELS, DetectorError
from smartstore.vision.labels import LabelsError

RUN = Path("data/runs/detector")
DATASET = Path("data/runs/people")
PICTURE = Path("data/pictures/detector.jpg")


def main(arguments: list[str] | None = None) -> int:
    """Runs one step; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        _run(given)
    except (DetectorError, LabelsError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(given: argparse.Namespace) -> None:
    from smartstore.vision import card, evaluation, quantise, training

    if given.step in ("people", "landmarks"):
        recipe = training.PEOPLE if given.step == "people" else training.LANDMARKS
        changed = {name: value for name in ("epochs", "threads", "rate") if (value := getattr(given, name)) is not None}
        train = training.train_people if given.step == "people" else training.train_landmarks
        train(
            [given.dataset, *given.more],
            given.run,
            replace(recipe, **changed),
            lambda line: print(line, flush=True),
            given.start,
        )
    elif given.step == "export":
        training.export(given.run, given.models)
        quantise.quantise(given.dataset, given.models)
    elif given.step == "evaluate":
        print(json.dumps(evaluation.evaluate(given.dataset, given.models, most=given.most), indent=1))
    else:
        card.write(given.dataset, given.run, given.models, PICTURE, given.note)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train the people and landmark networks on a rendered set.")
    parser.add_argument("step", choices=("people", "landmarks", "export", "evaluate", "card"))
    parser.add_argument("--dataset", type=Path, default=DATASET, help="folder with train.json and val.json")
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="further sets to train on")
    parser.add_argument("--run", type=Path, default=RUN, help="folder of the checkpoints; training goes on from them")
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the exported networks")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--start", type=Path, help="checkpoint whose weights to begin with")
    parser.add_argument("--note", default="", help="for the model card: what was special about this training")
    parser.add_argument("--most", type=int, help="judge only so many pictures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
