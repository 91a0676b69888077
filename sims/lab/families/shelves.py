"""Families of failures that happen on the shelf: what is moved, where it goes, and what only seems to move."""

from sims.building import Facing
from sims.lab.families.stage import WALK_S, Stage, put_back, take, until
from sims.scenario import Scenario


def plain(stage: Stage) -> Scenario:
    """Control: three shoppers, one after the other at every fixture."""
    return stage.scenario(
        shoppers={
            "count": 3, "arrivals": {"first_s": 2, "gap_s": {"min": 8, "max": 14}}, "items": {"min": 1, "max": 3},
            "put_backs": {"total": 1},
        },
        one_at_a_fixture=True,
    )  # fmt: skip


def twin_left_in_wrong_place(stage: Stage) -> Scenario:
    """An item is put back where another one of equal weight lives; the next shopper takes there, too."""
    first, second = stage.twins()
    other, last = stage.facings(2)
    return stage.scenario(
        stage.person("leaves", 1, take(first), take(other), put_back(first, second)),
        stage.person("takes", stage.between(16, 20), take(second), take(last)),
    )


def put_on_another_shelf(stage: Stage) -> Scenario:
    """An item is left on a shelf of another fixture, among goods of other weights."""
    here, there, *_ = stage.fixtures()
    first = stage.facing(here)
    second = stage.facing(there, lambda f: stage.fits(first.sku, f) and abs(stage.grams(f) - stage.grams(first)) > 15)
    others = stage.facings(2)
    return stage.scenario(
        stage.person("leaves", 1, take(first), take(others[0]), put_back(first, second)),
        stage.person("takes", stage.between(6, 12), take(second), take(others[1])),
    )


def put_back_late(stage: Stage) -> Scenario:
    """An item is carried around for long and put back at last, while others shop there."""
    first, second, third, fourth = stage.facings(4)
    return stage.scenario(
        stage.person("carries", 1, take(first), take(second), {"pause_s": stage.between(8, 15)}, put_back(first)),
        stage.person("other", stage.between(4, 9), take(third), take(fourth)),
    )


def change_of_mind(stage: Stage) -> Scenario:
    """Taken, put back, taken again, twin for twin, at one fixture."""
    first, second = stage.twins()
    third, fourth = stage.facings(2)
    return stage.scenario(
        stage.person("wavers", 1, take(first), put_back(first), take(second), put_back(second), take(first)),
        stage.person("other", stage.between(5, 9), take(third), take(fourth)),
    )


def quick_picks(stage: Stage) -> Scenario:
    """One item after the other out of the same facing and those beside it."""
    first, second = stage.neighbours(2)
    third, fourth = stage.neighbours(2)
    return stage.scenario(
        stage.person("quick", 1, take(first, int(stage.random.integers(2, 4))), take(second, 2)),
        stage.person("other", stage.between(4, 8), take(third, 2), take(fourth)),
    )


def double_grab(stage: Stage) -> Scenario:
    """Two or three items of a product in one grip."""
    first, second, third = stage.facings(3)
    return stage.scenario(
        stage.person("greedy", 1, take(first, 2, double_grab=True), take(second, 3, double_grab=True)),
        stage.person("other", stage.between(4, 8), take(third, 2, double_grab=True), put_back(third)),
    )


def both_hands(stage: Stage) -> Scenario:
    """Two products at once, one with each hand."""
    first, second = stage.neighbours(2)
    third, fourth = stage.neighbours(2)
    return stage.scenario(
        stage.person("left", 1, {"both_hands": [first.id, second.id]}),
        stage.person("right", stage.between(4, 8), {"both_hands": [third.id, fourth.id]}, put_back(third)),
    )


def several_plates(stage: Stage) -> Scenario:
    """Items of facings that stand on several plates, or share a plate with another facing."""

    def spread(facing: Facing) -> bool:
        left, right = facing.offset_m + 0.005, facing.offset_m + facing.width_m - 0.005
        return any(left < plate.offset_m < right for plate in stage.building.shelves[facing.shelf].plates)

    first, second, third = (stage.facing(fits=spread) for _ in range(3))
    return stage.scenario(
        stage.person("one", 1, take(first, 2), take(second), put_back(first)),
        stage.person("two", stage.between(4, 9), take(third, 2)),
    )


def long_hold(stage: Stage) -> Scenario:
    """A hand holds and presses an item for seconds before it lifts it, or never does."""
    first, second = stage.neighbours(2)
    third = stage.facing()
    return stage.scenario(
        stage.person("holds", 1, take(first, hold_s=stage.between(2.5, 6)), take(third, hold_s=stage.between(2, 4))),
        stage.person("other", stage.between(4, 8), {"touch": first.id}, take(second)),
    )


def slow_lift(stage: Stage) -> Scenario:
    """The weight leaves the plate over seconds."""
    first, second, third = stage.facings(3)
    return stage.scenario(
        stage.person("slow", 1, take(first, lift_s=stage.between(1.5, 4)), take(second, lift_s=stage.between(1, 3))),
        stage.person("other", stage.between(4, 8), take(third, 2, lift_s=stage.between(1, 2))),
    )


def leaning(stage: Stage) -> Scenario:
    """Somebody leans on a shelf, or nudges it, while others take there."""
    first, second = stage.neighbours(2)
    third = stage.facing()
    at_s = 5 + WALK_S + 2
    return stage.scenario(
        stage.person("leans", 1, {"touch": first.id}, until(at_s - stage.between(0, 2)),
                     {"lean": first.id, "pause_s": stage.between(2, 5)}, take(third)),
        stage.person("takes", 5, {"touch": second.id}, until(at_s), take(second), {"lean": second.id, "pause_s": 1.5}),
    )  # fmt: skip


def foreign_object(stage: Stage) -> Scenario:
    """Somebody lays their own things on a shelf, and takes them away again or not."""
    first, second, third = stage.facings(3)
    grams = float(stage.random.integers(90, 420))
    back = [{"pick_up": first.id}] if stage.random.random() < 0.7 else []
    return stage.scenario(
        stage.person("lays", 1, {"leave": grams, "at": first.id}, take(second), *back),
        stage.person("other", stage.between(6, 10), take(first), take(third)),
    )


def wrong_planogram(stage: Stage) -> Scenario:
    """Two products lie in each other's place, and nobody told the system."""
    first, second = stage.neighbours(2, exchangeable=True)
    third, fourth = stage.facings(2)
    return stage.scenario(
        stage.person("one", 1, take(first), take(third)),
        stage.person("two", stage.between(5, 9), take(second), take(fourth)),
        planogram_swaps=[[first.id, second.id]],
    )


def left_on_the_floor(stage: Stage) -> Scenario:
    """An item is carried away from its shelf and left on the floor."""
    return _left(stage, at_once=False)


def left_at_once(stage: Stage) -> Scenario:
    """An item that is still in the hand is left on the floor."""
    return _left(stage, at_once=True)


def _left(stage: Stage, at_once: bool) -> Scenario:
    first, second, third = stage.facings(3)
    left = (second if at_once else first).sku
    return stage.scenario(
        stage.person("drops", 1, take(first), take(second), {"drop": left}),
        stage.person("other", stage.between(5, 9), take(third)),
    )
