"""The labelled set: how many pictures without anybody it keeps."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sims.bodies.library import BodyLibrary
from sims.building import load_building
from sims.lab.dataset import EMPTY_KEPT, cast, views

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("split", ["train", "val"])
def test_of_pictures_with_nobody_the_split_keeps_its_share(split: str) -> None:
    drawn: list[str] = []

    def blank(scene: object, camera: str) -> tuple[np.ndarray, list[object]]:
        drawn.append(camera)
        return np.zeros((2, 2, 3), np.uint8), []

    building = load_building(ROOT / "configs/stores/stand.yaml")
    painter = SimpleNamespace(building=building, render_labelled=blank)
    endless = views(painter, cast(BodyLibrary.load(), split), np.random.default_rng(3), EMPTY_KEPT[split])  # type: ignore[arg-type]
    kept = len(list(islice(endless, 40)))
    assert kept / len(drawn) == pytest.approx(EMPTY_KEPT[split], abs=0.12)
    assert set(drawn) == set(building.cameras)
