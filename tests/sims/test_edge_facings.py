"""Shelf faces as edge cameras report them: what is in view, and errors as often as they are told to make them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sims.building import Building
from sims.devices.edge_facings import FacingReader
from sims.devices.edge_model import EdgeModel
from sims.devices.sight import CrowdReader
from sims.scene import BodyState, Scene
from sims.stick import StickFigures
from smartstore.wire.messages import Facings
from tests.sims.edge import PERFECT, SECOND, body, but


def reader(corner: Building, errors: EdgeModel = PERFECT) -> FacingReader:
    return FacingReader(corner, corner.cameras["s1"], errors.facings, np.random.default_rng(2))


def look(
    corner: Building, faces: FacingReader, t_s: float, stock: Mapping, people: Sequence[BodyState] = ()
) -> Facings:
    scene = Scene(int(t_s * SECOND), tuple(people), stock)
    return faces.read(scene, CrowdReader(corner, StickFigures()).read(scene), scene.t_ns)


def test_a_take_changes_one_facing_once_and_names_what_is_gone(corner: Building) -> None:
    faces, full = reader(corner), corner.full_stock()
    sku = corner.facings["g2-2-a"].sku
    after = {**full, "g2-2-a": ((sku,) * 5, (sku,) * 4, (sku,) * 5)}
    views = [look(corner, faces, t_s, stock) for t_s, stock in ((0, full), (0.5, full), (1, after), (1.5, after))]
    assert {facing.facing for facing in views[0].facings} == {
        f.id for f in corner.facings.values() if f.fixture in ("g1", "g2")
    }
    changed = [{f.facing: f for f in view.facings if f.change > 0.5} for view in views]
    assert [set(c) for c in changed] == [set(), set(), {"g2-2-a"}, set()]
    told = changed[2]["g2-2-a"]
    assert told.fill == pytest.approx(14 / 15, abs=0.01)
    assert max(told.scores, key=lambda name: told.scores[name]) == sku
    assert sum(told.scores.values()) == pytest.approx(1, abs=0.01)


def test_a_facing_behind_somebody_is_hidden_and_keeps_its_last_fill(corner: Building) -> None:
    faces, full = reader(corner), corner.full_stock()
    sku = corner.facings["g2-2-a"].sku
    after = {**full, "g2-2-a": ((), (sku,) * 5, (sku,) * 5)}
    x, y, _ = corner.fixtures["g2"].point(0.15, -0.35, 0.0)
    anna = body(x, y, heading_rad=math.pi)
    clear, behind, again = (
        {f.facing: f for f in view.facings}["g2-2-a"]
        for view in (look(corner, faces, 0, full), look(corner, faces, 1, after, [anna]), look(corner, faces, 2, after))
    )
    assert (clear.hidden, behind.hidden, again.hidden) == (False, True, False)
    assert behind.fill == pytest.approx(clear.fill, abs=0.01)
    assert behind.change == 0
    assert again.change > 0.5
    assert again.fill == pytest.approx(10 / 15, abs=0.01)


def test_an_arm_in_the_shelf_hides_what_is_behind_it(corner: Building) -> None:
    faces, full = reader(corner), corner.full_stock()
    fixture = corner.fixtures["g2"]
    x, y, _ = fixture.point(1.15, -0.55, 0.0)
    reaching = body(x, y, heading_rad=math.pi, right_hand_m=fixture.point(0.72, 0.03, 0.82))
    hidden = {f.facing for f in look(corner, faces, 0, full, [reaching]).facings if f.hidden}
    resting = {
        f.facing for f in look(corner, faces, 1, full, [replace(reaching, right_hand_m=None)]).facings if f.hidden
    }
    assert hidden > resting


def one_less_everywhere(corner: Building) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    return {facing: (columns[0][:-1], *columns[1:]) for facing, columns in corner.full_stock().items()}


@pytest.mark.parametrize(("rate", "share"), [(0.0, 1.0), (0.3, 0.7), (1.0, 0.0)])
def test_changes_are_missed_at_their_rate(corner: Building, rate: float, share: float) -> None:
    full, less = corner.full_stock(), one_less_everywhere(corner)
    faces = reader(corner, but({"facings.missed": rate}))
    noticed = []
    for k in range(0, 40, 2):
        look(corner, faces, 1000.0 * k, full)
        look(corner, faces, 1000.0 * k + 500, full)
        noticed += [f.change > 0.5 for f in look(corner, faces, 1000.0 * k + 501, less).facings]
        look(corner, faces, 1000.0 * k + 900, less)
    assert np.mean(noticed) == pytest.approx(share, abs=0.06)


def test_what_was_overlooked_is_noticed_later_and_less_surely(corner: Building) -> None:
    less = one_less_everywhere(corner)
    faces = reader(corner, but({"facings.missed": 1.0}))
    look(corner, faces, 0, corner.full_stock())
    views = [look(corner, faces, 0.5 + k / 2, less) for k in range(80)]
    changes = [[f.change for f in view.facings if f.change > 0.35] for view in views]
    assert changes[0] == []
    assert 18 <= sum(map(len, changes)) <= 24, "of 24 facings"
    assert max(map(max, filter(None, changes))) < 0.76
    assert [f.fill < 0.99 for f in views[-1].facings].count(True) == sum(map(len, changes))


def test_changes_are_invented_at_their_rate(corner: Building) -> None:
    faces, full = (
        reader(corner, but({"facings.invented_per_min": 3.0, "facings.invented_lasts_s": 0.6})),
        corner.full_stock(),
    )
    views = [look(corner, faces, k / 2, full) for k in range(600)]
    told = sum(f.change > 0.35 for view in views for f in view.facings)
    assert told == pytest.approx(2 * 15, abs=20), "each is taken back soon"
    assert sum(f.fill != pytest.approx(1.0) for f in views[-1].facings) <= 2


def test_names_are_confused_at_their_rate_with_what_looks_alike(corner: Building) -> None:
    faces, full = reader(corner, but({"facings.misnamed": 0.25})), corner.full_stock()
    sku = corner.facings["g1-2-a"].sku
    less = {**full, "g1-2-a": ((sku,) * 4, (sku,) * 5, (sku,) * 5)}
    best = []
    for k in range(300):
        told = next(f for f in look(corner, faces, k / 2, full if k % 2 else less).facings if f.facing == "g1-2-a")
        best += [max(told.scores, key=lambda name: told.scores[name])] if told.scores else []
    assert len(best) == 299
    assert np.mean([name != sku for name in best]) == pytest.approx(0.25, abs=0.08)


def test_a_facing_stays_hidden_for_a_while_after_somebody_went(corner: Building) -> None:
    full = corner.full_stock()
    x, y, _ = corner.fixtures["g2"].point(0.15, -0.35, 0.0)
    anna = body(x, y, heading_rad=math.pi)
    waits = []
    faces = reader(corner, but({"facings.clears_s": 2.0}))
    for k in range(80):
        look(corner, faces, 100.0 * k, full, [anna])
        views = (look(corner, faces, 100.0 * k + 0.5 * n, full) for n in range(1, 60))
        hidden = ({f.facing: f for f in view.facings}["g2-2-a"].hidden for view in views)
        waits.append(0.5 * next(n for n, still in enumerate(hidden, 1) if not still))
    assert np.mean(waits) == pytest.approx(2.25, abs=0.6)


def test_counts_are_off_by_one_at_their_rate(corner: Building) -> None:
    full, less = corner.full_stock(), one_less_everywhere(corner)
    off = []
    for k in range(20):
        faces = FacingReader(
            corner, corner.cameras["s1"], but({"facings.miscounted": 0.3}).facings, np.random.default_rng(k)
        )
        first, second = (look(corner, faces, t_s, stock) for t_s, stock in ((0, full), (0.5, less)))
        for one, two in zip(first.facings, second.facings, strict=True):
            facing = corner.facings[one.facing]
            off.append(round((one.fill - two.fill) * facing.columns * facing.rows) != 1)
    assert np.mean(off) == pytest.approx(0.3, abs=0.06)
