"""Families of failures of the devices: plates, cameras, messages and clocks."""

from typing import Any

from sims.lab.families.stage import Stage, put_back, take
from sims.scenario import Scenario


def _ordinary(stage: Stage, **keys: Any) -> Scenario:
    """Three shoppers who take five items, put one back and overlap a little, under the flaws of ``keys``."""
    first, second, third, fourth, fifth = stage.facings(5)
    return stage.scenario(
        stage.person("one", 1, take(first), take(second)),
        stage.person("two", stage.between(5, 9), take(third), {"touch": second.id}, put_back(third), take(fourth)),
        stage.person("three", stage.between(13, 17), take(fifth, 2)),
        **keys,
    )


def dead_plates(stage: Stage) -> Scenario:
    """An eighth of all plates says nothing and a few always say the same, and the others drift."""
    plates = list(stage.building.plates)
    order = [plates[i] for i in stage.random.permutation(len(plates))]
    dead, stuck = max(1, len(order) // 8), max(1, len(order) // 40)
    return _ordinary(
        stage,
        dead_plates=sorted(order[:dead]),
        stuck_plates=sorted(order[dead : dead + stuck]),
        load_cells={"temperature": 4.0, "footfalls": 2.0, "flicker_share": 0.15},
    )


def saturated_plates(stage: Stage) -> Scenario:
    """Plates of cheap load cells, so full that the heaviest are at their end."""
    heaviest = max(stage.building.items[f.sku].grams * f.columns * f.rows for f in stage.building.facings.values())
    return _ordinary(stage, load_cells={"capacity_grams": round(heaviest * stage.between(0.15, 0.3))})


def lost_cameras(stage: Stage) -> Scenario:
    """One ceiling camera and one shelf camera are dark."""
    kinds: dict[str, list[str]] = {"ceiling": [], "shelf": []}
    for camera in stage.building.cameras.values():
        kinds[camera.kind].append(camera.id)
    return _ordinary(stage, cameras_off=sorted(stage.one_of(names) for names in kinds.values()))


def late_messages(stage: Stage) -> Scenario:
    """Messages come late, overtake each other, or never arrive."""
    slow = {"latency_s": stage.between(0.05, 0.15), "jitter_s": stage.between(0.03, 0.08), "drop_share": 0.05}
    scales = [f.id for f in stage.building.fixtures.values() if f.scale and f.shelves]
    return _ordinary(stage, link=slow, links={name: {"latency_s": 0.05, "jitter_s": 0.03} for name in scales})


def wrong_clocks(stage: Stage) -> Scenario:
    """Every device has a clock of its own, up to a third of a second off."""
    devices = [*stage.building.cameras, *(f.id for f in stage.building.fixtures.values() if f.scale and f.shelves)]
    return _ordinary(stage, clock_offsets_s={name: stage.between(-0.3, 0.3) for name in devices})
