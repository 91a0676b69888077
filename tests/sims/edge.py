"""Error models and people for the tests of edge cameras."""

from collections.abc import Mapping
from dataclasses import replace

from sims.devices.edge_model import FOLDER, EdgeModel, load_edge_model
from sims.scene import BodyState

PERFECT = load_edge_model(FOLDER / "perfect.yaml")
SECOND = 1_000_000_000


def but(changes: Mapping[str, object], model: EdgeModel = PERFECT) -> EdgeModel:
    """A model with some keys, spelled with dots, changed."""
    document = model.model_dump(by_alias=True)
    for path, value in changes.items():
        *parents, name = path.split(".")
        part = document
        for parent in parents:
            part = part[parent]
        assert name in part
        part[name] = value
    return EdgeModel.model_validate(document)


def body(x_m: float, y_m: float, name: str = "anna", heading_rad: float = 0.0, **changes: object) -> BodyState:
    return replace(BodyState(name, 0, 7 + len(name), x_m, y_m, heading_rad, 0.0, 0.0), **changes)
