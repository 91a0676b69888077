"""Families of failures that happen between people: who did it, and who pays."""

from sims.lab.families.stage import WALK_S, Stage, put_back, take, until
from sims.scenario import Scenario


def two_at_one_shelf(stage: Stage) -> Scenario:
    """Two hands of two people in one shelf at the same time."""
    first, second = stage.neighbours(2)
    third, fourth = stage.facings(2)
    at_s = 6 + WALK_S + 3
    return stage.scenario(
        stage.person("left", 1, {"touch": first.id}, until(at_s), take(first, 2), take(third)),
        stage.person("right", 6, {"touch": second.id}, until(at_s + stage.between(-0.4, 0.4)), take(second),
                     take(fourth)),
    )  # fmt: skip


def opposite_changes(stage: Stage) -> Scenario:
    """One puts back what weighs as much as what another takes beside it: the sums cancel."""
    first, second = stage.twins(same_shelf=True)
    third = stage.facing()
    at_s = 6 + WALK_S + 6
    return stage.scenario(
        stage.person("gives", 1, take(first), until(at_s), put_back(first), take(third)),
        stage.person("takes", 6, {"touch": second.id}, until(at_s + stage.between(-0.3, 0.3)), take(second)),
    )


def swap(stage: Stage) -> Scenario:
    """One puts an item back and another takes one out of the same facing in the same moment."""
    first, second, third = stage.facings(3)
    at_s = 6 + WALK_S + 6
    return stage.scenario(
        stage.person("gives", 1, take(first), take(second), until(at_s), put_back(first)),
        stage.person("takes", 6, {"touch": first.id}, until(at_s + stage.between(0.5, 2.5)), take(first), take(third)),
    )


def hand_over(stage: Stage) -> Scenario:
    """An item changes hands in the store; whoever leaves with it pays."""
    return _handed(stage, at_once=False)


def hand_over_at_once(stage: Stage) -> Scenario:
    """An item that is still in the hand changes hands."""
    return _handed(stage, at_once=True)


def _handed(stage: Stage, at_once: bool) -> Scenario:
    first, second, third = stage.facings(3)
    given = (second if at_once else first).sku
    return stage.scenario(
        stage.person("gives", 1, take(first), take(second), {"hand_over": given, "to": "gets"}),
        stage.person("gets", stage.between(4, 7), take(third), {"pause_s": 14}),
    )


def crowded_fixture(stage: Stage) -> Scenario:
    """Four people at one fixture, close together, with arms that cross."""
    fixture = next(f for f in stage.fixtures() if stage.building.fixtures[f].width_m >= 1.2)
    places = stage.facings(4, fixture)
    extra = stage.facings(2)
    at_s = 10 + WALK_S + 2
    people = []
    for i, facing in enumerate(places):
        more = [take(extra[i])] if i < len(extra) else []
        when = until(at_s + stage.between(-1.0, 1.0))
        people.append(stage.person(f"shopper-{i + 1}", 1 + 3 * i, {"touch": facing.id}, when, take(facing), *more))
    return stage.scenario(*people)


def crossing(stage: Stage) -> Scenario:
    """People walk past each other between the same two fixtures, again and again, and hide each other."""
    here, there, *_ = stage.fixtures()
    a, b = stage.facings(2, here)
    c, d = stage.facings(2, there)
    return stage.scenario(
        stage.person("to-and-fro", 1, take(a), take(c), {"touch": b.id}),
        stage.person("fro-and-to", 4, take(d), take(b), {"touch": c.id}),
        stage.person("between", 7, {"touch": a.id}, {"touch": d.id}, take(a)),
    )


def group(stage: Stage) -> Scenario:
    """Two or three people on one palm: whatever any of them takes is on one receipt."""
    first, second, third, fourth = stage.facings(4)
    party = [
        stage.person("mother", 1, take(first), {"pause_s": 3}),
        stage.person("child", None, take(second), party_of="mother"),
    ]
    if stage.random.random() < 0.5:
        party.append(stage.person("father", None, take(third), put_back(third), party_of="mother"))
    return stage.scenario(*party, stage.person("stranger", stage.between(10, 14), take(fourth)))


def tailgating(stage: Stage) -> Scenario:
    """Somebody walks in behind a shopper without a palm; the shopper before pays only for their own."""
    first, second, third = stage.facings(3)
    return stage.scenario(
        stage.person("guest", 1, take(first), take(second)),
        stage.person("shadow", None, {"pause_s": 4}, {"touch": third.id}, tailgates=True),
        stage.person("other", stage.between(12, 16), take(third)),
    )


def tailgating_thief(stage: Stage) -> Scenario:
    """Somebody without a palm takes something: nobody's sale, and least of all the next shopper's."""
    first, second, third = stage.facings(3)
    return stage.scenario(
        stage.person("guest", 1, take(first), take(second)),
        stage.person("shadow", None, {"pause_s": 4}, take(third), tailgates=True),
        stage.person("other", stage.between(12, 16), take(first)),
    )


def restocking(stage: Stage) -> Scenario:
    """Staff fill a shelf while customers take from it and from others: no sale."""
    first, second, third = stage.facings(3)
    return stage.scenario(
        stage.person("customer", 1, take(first, 2), take(second)),
        stage.person("staff", stage.between(10, 14), {"restock": first.id, "count": 2}, staff=True),
        stage.person("next", stage.between(17, 21), take(third), take(first)),
        fill=0.7,
    )
