"""How cameras with inference on board err: the numbers that ``sim fit-edge`` writes and edge cameras read.

In: a YAML document (schema 1). Out: a frozen :class:`EdgeModel`, or an :class:`EdgeModelError` of one line that names
file and key. Lengths are shares of how tall a standing person of 1.7 m would be at the same distance, in the same
pixels; times are seconds of event time.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator
from scipy.special import expit, logit

from sims.devices.edge_laws import FacingErrors, LightErrors, PeopleErrors
from sims.documents import Part, read_document

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "edge"
SHIPPED = FOLDER / "default.yaml"


class EdgeModelError(Exception):
    """An error model that cannot be used: one line, file, key and what to do."""


class EdgeModel(Part):
    """An error model of cameras with inference on board."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    fitted: dict[str, Any] = Field(default_factory=dict)
    """What it was fitted to and how well it fits: for readers only."""
    people: PeopleErrors
    facings: FacingErrors
    lights: dict[str, LightErrors] = Field(default_factory=dict)
    """By the name of the light in a scenario."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        finding = self.people.finding
        if finding.score_least >= finding.score_most:
            raise ValueError("people.finding: score_least must be less than score_most; swap them")
        return self

    def under(self, light: str) -> "EdgeModel":
        """The model as it is under a light; itself where nothing is known of that light."""
        change = self.lights.get(light)
        if change is None:
            return self
        document = self.model_dump(by_alias=True, exclude={"lights"})
        document["people"]["finding"]["chance"]["base"] += change.found
        for state in ("seen", "covered"):
            document["people"]["joints"][state]["grows"]["base"] += change.joints
        for key in ("missed", "miscounted", "misnamed"):
            document["facings"][key] = shifted(document["facings"][key], change.facings)
        return EdgeModel.model_validate(document)

    def times(self, factor: float) -> "EdgeModel":
        """The model with errors that are larger, and mistakes whose odds are higher, by a factor."""
        if factor == 1.0:
            return self
        document, by = self.model_dump(by_alias=True), float(np.log(factor))
        people = document["people"]
        people["finding"]["chance"]["base"] -= by
        for law in (people["joints"]["seen"], people["joints"]["covered"], people["boxes"]):
            law["grows"]["base"] += by
        for key in ("missed", "miscounted", "misnamed"):
            document["facings"][key] = shifted(document["facings"][key], by)
        model = EdgeModel.model_validate(document)
        frequent = ("invented_per_min", "near_hides_per_s", "fill_sigma_items")
        # Not checked again: how much a document may say is no limit for what is made larger on purpose.
        larger = model.facings.model_copy(update={key: getattr(model.facings, key) * factor for key in frequent})
        return model.model_copy(update={"facings": larger})


def shifted(chance: float, by: float) -> float:
    """A chance with something added to its log-odds; certainties stay certain."""
    return chance if chance in (0.0, 1.0) else float(expit(logit(chance) + by))


def load_edge_model(path: str | Path | None = None) -> EdgeModel:
    """The model at ``path``, or the one shipped.

    Raises:
        EdgeModelError: one line that says what is wrong, where, and what to do.
    """
    return _load(Path(path) if path is not None else SHIPPED)


@lru_cache(maxsize=8)
def _load(path: Path) -> EdgeModel:
    document = read_document(
        path, EdgeModelError, "configs/edge/default.yaml", missing="write one with smartstore sim fit-edge"
    )
    try:
        return EdgeModel.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"])
        text = problem["msg"].removeprefix("Value error, ")
        where = f"{key}: " if key else ""
        raise EdgeModelError(f"{path}: {where}{text[0].lower()}{text[1:]}; mend it or fit the model anew") from error


def edge_schema() -> dict[str, Any]:
    """The JSON Schema of error models, for editors."""
    schema = EdgeModel.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "How cameras with inference on board err",
    } | schema
