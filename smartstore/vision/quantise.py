"""Makes the exported networks smaller and faster: weights and sums in eight bits where that costs nothing.

In: OpenVINO files in 32 bits and labelled pictures to see what numbers really occur. Out: ``…-int8.xml`` beside them.
Needs NNCF (``pip install nncf``), which nothing else here does.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smartstore.vision import augment, people
from smartstore.vision.detector import LANDMARK_MODEL, PEOPLE_MODEL, DetectorError, int8_file
from smartstore.vision.labels import LabelledPicture, Picture, read_labels

PICTURES = 300
"""Pictures, and crops of people, from which the ranges of numbers are read."""
EXACT = (".*model\\.23/.*", ".*model\\.23\\.(dfl|cv2\\..\\.2|cv3\\..\\.2).*")
"""Of the people network: its last layers, which turn what it saw into boxes and scores, stay in 32 bits."""


def quantise(dataset: Path, models: Path, seed: int = 0) -> list[Path]:
    """Writes the eight-bit copies of the networks under ``models``; returns their files.

    Raises:
        DetectorError: NNCF is not installed, or a network is missing.
        LabelsError: there are no labelled pictures.
    """
    pictures = _some(read_labels(dataset, "train"), np.random.default_rng(seed))
    nncf = _nncf()
    crops = [
        augment.plain_joint_example(sample)[0] for picture in pictures for sample in augment.joint_samples(picture)
    ]
    return [
        _write(nncf, models / PEOPLE_MODEL, list(enumerate(pictures)), _canvas, EXACT),
        _write(nncf, models / LANDMARK_MODEL, crops[:PICTURES], lambda crop: crop[None], ()),
    ]


def _canvas(numbered: tuple[int, LabelledPicture]) -> Picture:
    """A picture as the network looks at it (1, height, width, 3): each look in turn."""
    number, picture = numbered
    return people.view(picture.read(), people.LOOKS[number % len(people.LOOKS)])[0][None]


def _some(pictures: Sequence[LabelledPicture], rng: np.random.Generator) -> list[LabelledPicture]:
    return [pictures[i] for i in sorted(rng.permutation(len(pictures))[:PICTURES])]


def _nncf() -> Any:
    try:
        import nncf
    except ImportError as error:
        raise DetectorError("eight-bit networks need NNCF; install it with: pip install nncf") from error
    return nncf


def _write(nncf: Any, path: Path, samples: list[Any], prepare: Callable[[Any], Any], exact: tuple[str, ...]) -> Path:
    import openvino as ov

    if not path.is_file():
        raise DetectorError(f"{path}: the network to quantise is missing; export it first")
    small = nncf.quantize(
        ov.Core().read_model(str(path)),
        nncf.Dataset(samples, prepare),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(samples),
        ignored_scope=nncf.IgnoredScope(patterns=list(exact)) if exact else None,
    )
    out = int8_file(path)
    ov.save_model(small, str(out))
    return out
