"""Demand documents: how many people come when, what they want together, and what they do on the way.

In: a YAML document (schema 1). Out: a frozen :class:`Demand`. Totals are what the user knows from their tills;
everything else shapes how they come about.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from sims.documents import Part, Share

Name = Annotated[str, Field(min_length=1)]


class Affinity(Part):
    """Whoever has goods of ``of`` wants those of ``with`` so many times more likely. Fixtures, facings or SKUs."""

    of: Name
    with_: Annotated[Name, Field(alias="with")]
    times: Annotated[float, Field(gt=0.0, le=50.0)]


class Groups(Part):
    """This share of visits is made by so many people on one palm, who split the list."""

    share: Share = 0.0
    most: Annotated[int, Field(ge=2, le=5)] = 2


class Impulse(Part):
    """This share of items was not on the list: it is taken where one stands anyway, or at ``fixtures``."""

    share: Share = 0.0
    fixtures: tuple[Name, ...] = ()


class Search(Part):
    """With this chance an item is looked for at another fixture first, for about so long."""

    share: Share = 0.0
    look_s: Annotated[float, Field(gt=0.0, le=120.0)] = 4.0


class Restock(Part):
    """Staff come every so often and fill facings that hold less than ``below`` of their room, so many items a round."""

    every_min: Annotated[float, Field(gt=0.0, le=1440.0)]
    below: Annotated[float, Field(gt=0.0, le=1.0)] = 0.4
    most: Annotated[int, Field(ge=1, le=100)] = 12


class Demand(Part):
    """A day of a store. ``visits`` pass the gate, groups as one; ``hours`` are weights; ``mix`` are shares of all items
    by fixture, facing or SKU, what it does not name shares the rest."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    demand: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    visits: Annotated[float, Field(gt=0.0, le=20_000.0)]
    items_per_visit: Annotated[float, Field(ge=1.0, le=30.0)]
    spread: Annotated[float, Field(ge=0.0, le=2.0)] = 0.6
    """Standard deviation of items per visit, as a share of their mean; never less than chance alone makes."""
    hours: dict[Annotated[int, Field(ge=0, le=23)], Annotated[float, Field(ge=0.0)]]
    mix: dict[Name, Share] = Field(default_factory=dict)
    affinities: tuple[Affinity, ...] = ()
    groups: Groups = Groups()
    impulse: Impulse = Impulse()
    search: Search = Search()
    touches: Share = 0.12
    put_backs: Share = 0.05
    restock: Restock | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if sum(self.hours.values()) <= 0:
            raise ValueError("hours: nobody comes at any hour; give some of them a weight")
        if sum(self.mix.values()) > 1.0 + 1e-9:
            raise ValueError(f"mix: shares add up to {sum(self.mix.values()):g}; make them 1 or less")
        return self

    def names(self) -> list[tuple[str, str]]:
        """Everything of the store that is named, with its key."""
        named = [(f"mix.{name}", name) for name in self.mix]
        for i, affinity in enumerate(self.affinities):
            named += [(f"affinities[{i}].of", affinity.of), (f"affinities[{i}].with", affinity.with_)]
        return named + [(f"impulse.fixtures[{i}]", name) for i, name in enumerate(self.impulse.fixtures)]


def demand_schema() -> dict[str, Any]:
    """The JSON Schema of demand documents, for editors."""
    schema = Demand.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Demand of a store"} | schema
