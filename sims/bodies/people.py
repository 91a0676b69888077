"""The people that are baked: a table, nothing computed. Heights in metres, the rest on anny's scales of 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One body to bake. ``age``: 1/3 is a child of about ten, 2/3 a young adult, 1 old; ``gender``: 1 female."""

    height_m: float
    age: float
    gender: float
    weight: float = 0.5
    muscle: float = 0.5
    proportions: float = 0.5
    hair: str = "short"
    wears: tuple[str, ...] = ()


PEOPLE: tuple[Person, ...] = (
    Person(1.78, 0.67, 0.0),
    Person(1.66, 0.67, 1.0, hair="long"),
    Person(1.86, 0.75, 0.0, weight=0.75),
    Person(1.71, 0.70, 1.0, weight=0.35, wears=("skirt",), hair="long"),
    Person(1.10, 0.27, 0.4),
    Person(1.24, 0.31, 1.0, hair="long", wears=("skirt",)),
    Person(1.38, 0.36, 0.0, weight=0.6),
    Person(1.52, 0.44, 1.0, weight=0.4, hair="long", wears=("bag",)),
    Person(1.63, 0.50, 0.0, weight=0.35, muscle=0.4, wears=("bag",)),
    Person(2.00, 0.70, 0.0, muscle=0.6, proportions=0.7),
    Person(1.93, 0.80, 0.0, weight=0.6, muscle=0.7),
    Person(1.58, 0.95, 1.0, weight=0.65, muscle=0.35),
    Person(1.70, 1.00, 0.0, weight=0.55, muscle=0.3, hair="bald"),
    Person(1.60, 0.85, 1.0, weight=0.9, muscle=0.4, hair="long"),
    Person(1.75, 0.85, 0.0, weight=0.95, muscle=0.45),
    Person(1.82, 0.68, 0.1, weight=0.2, muscle=0.4, wears=("bag",)),
    Person(1.74, 0.66, 0.9, weight=0.3, muscle=0.6, proportions=0.8, hair="long"),
    Person(1.55, 0.72, 1.0, weight=0.5, proportions=0.2),
    Person(1.68, 0.78, 0.0, weight=0.6, muscle=0.75, proportions=0.2, hair="bald"),
    Person(1.80, 0.72, 1.0, weight=0.5, muscle=0.55, hair="long", wears=("bag",)),
    Person(1.64, 0.90, 1.0, weight=0.45, muscle=0.4, wears=("skirt",)),
    Person(1.73, 0.92, 0.0, weight=0.7, muscle=0.4),
    Person(1.89, 0.67, 0.0, weight=0.4, muscle=0.8, proportions=0.6),
    Person(1.62, 0.68, 1.0, weight=0.7, muscle=0.5, hair="long", wears=("skirt", "bag")),
    Person(1.77, 0.75, 0.5, weight=0.5, muscle=0.45),
    Person(1.46, 0.40, 0.2, weight=0.5),
    Person(1.69, 0.70, 0.7, weight=0.6, muscle=0.5, wears=("bag",)),
    Person(1.84, 0.88, 0.0, weight=0.5, muscle=0.5, hair="bald"),
    Person(1.67, 0.74, 1.0, weight=0.25, muscle=0.45, proportions=0.6, hair="long"),
    Person(1.76, 0.71, 0.0, weight=0.45, muscle=0.55, proportions=0.4, wears=("bag",)),
)
