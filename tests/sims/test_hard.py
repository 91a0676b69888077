"""corner-hard, the script that has most of what such stores fail at: it is played as its comments say."""

from collections import Counter

import pytest

from sims.building import Building
from sims.scenario import load_scenario
from tests.sims.playing import SCENARIOS, Played, play


@pytest.fixture(scope="module")
def hard(corner: Building, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """corner-hard, seed 401."""
    return play(corner, load_scenario(SCENARIOS / "corner-hard.yaml"), tmp_path_factory.mktemp("hard"), seed=401)


def test_everybody_owes_what_they_or_their_party_carry_out(corner: Building, hard: Played) -> None:
    def goods(*facings: str) -> Counter[str]:
        return Counter(corner.facings[facing].sku for facing in facings)

    chickpeas_place_has_beans = "g1-2-d"
    owed = {visit.person: Counter(visit.lines) for visit in hard.truth.visits}
    assert owed == {
        "anna": goods("g1-3-a", "g1-3-c", chickpeas_place_has_beans, "g2-2-b", "g2-2-b", "g2-3-c"),
        "dora": goods("k1-2-c", "g3-3-a"),
        "emil": goods("g4-3-b", "g3-2-b"),
        "flora": goods("g4-1-b", "g4-1-b", "g4-2-c"),
    }
    assert {guest.person: Counter(guest.lines) for guest in hard.truth.guests} == {
        "carl": goods("g4-2-a"), "sam": goods(),
    }  # fmt: skip


def test_carts_follow_from_takes_put_backs_hand_overs_and_drops(hard: Played) -> None:
    truth = hard.truth
    carts: dict[str, Counter[str]] = {visit.visit: Counter() for visit in truth.visits}
    for change in truth.changes:
        if change.visit:
            carts[change.visit][change.sku] += 1 if change.kind == "take" else -1
    for over in truth.hand_overs:
        carts[over.visit or ""][over.sku] -= 1
        carts[over.to_visit or ""][over.sku] += 1
    for drop in truth.drops:
        carts[drop.visit or ""][drop.sku] -= 1
    assert {visit: dict(+lines) for visit, lines in carts.items()} == truth.receipts


def test_everybody_breaks_the_beam_and_nobody_is_named_on_the_wire(hard: Played) -> None:
    assert len(hard.of("gate", "exit")) == 7
    assert [r.message.party_size for r in hard.of("gate", "entry") if r.message.kind == "entry"] == [2, 1, 1, 1, 1]
    for word in (b"anna", b"ben", b"carl", b"dora", b"emil", b'sam"', b"foreign", b"tailgat", b"hand_over", b"restock"):
        assert not any(word in packet.payload for packet in hard.packets), word


def test_two_hands_are_at_one_shelf_at_once_and_their_sums_cancel(corner: Building, hard: Played) -> None:
    there = [change for change in hard.truth.changes if change.shelf == "g3-2" and change.kind == "put_back"]
    (back,) = there
    (fetched,) = [c for c in hard.truth.changes if c.facing == "g3-2-b" and c.person == "emil"]
    assert abs(back.t_ns - fetched.t_ns) < 1.5e9
    assert back.sku == fetched.sku
    assert abs(back.grams - fetched.grams) < 6 * corner.items[back.sku].grams_sigma + 0.1
