"""How often signs hint rightly is counted in stories whose truth is known."""

import math
from pathlib import Path

import pytest
import yaml

from sims.building import load_building
from sims.lab.families import PASSING, FamilyError
from sims.lab.learn_record import Story, record
from sims.lab.learn_shares import Sign, counted, laplace, learned_shares, of_passing, signs_of
from sims.lab.learn_stories import of_all
from smartstore.fusion.shares import ShareOptions
from smartstore.pipeline import PipelineOptions
from smartstore.settings import LEARNED, parse_settings
from smartstore.site import Site, load_site

KIOSK = Path("configs/stores/kiosk.yaml")
FAMILIES = {family.name: family for family in PASSING}


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(KIOSK)


def played(site: Site, family: str, seed: int) -> Story:
    return record(FAMILIES[family].scenario(load_building(KIOSK), seed), KIOSK, site, seed)


@pytest.mark.parametrize(
    ("family", "signs"),
    [("left-on-the-floor", {Sign("left", True), Sign("rose", True)}),
     ("left-at-once", {Sign("left", True), Sign("sank", False)})],
    ids=["out of the bag", "out of the hand"],
)  # fmt: skip
def test_what_lies_on_the_floor_was_where_the_truth_says(site: Site, family: str, signs: set[Sign]) -> None:
    assert set(signs_of(played(site, family, 9002), site, PipelineOptions())) == signs


def test_what_was_handed_over_tells_of_every_sign_that_was_seen(site: Site) -> None:
    story = played(site, "hand-over", 9002)
    assert signs_of(story, site, PipelineOptions()) == [Sign(share, True) for share in ("parted", "offers", "was_up")]


def test_a_share_is_what_was_counted_after_one_of_each_kind() -> None:
    signs = [Sign("rose", True)] * 7 + [Sign("rose", False)]
    counts = counted(signs)
    assert counts["rose"] == (7, 8) and counts["sank"] == (0, 0)
    shares = laplace(counts)
    assert shares.rose == 0.8 and shares.sank == 0.5


def test_a_share_is_worth_what_it_says_about_stories_that_were_held_out() -> None:
    told = learned_shares([Sign("left", True)] * 2, [Sign("left", True), Sign("left", False)], ShareOptions(left=0.9))
    (before, after) = ((math.log(share) + math.log(1 - share)) / 2 for share in (0.9, 0.75))
    assert told["left"] == {
        "so": 2, "of": 2, "held_out": 2,
        "before": pytest.approx(before, rel=1e-3), "after": pytest.approx(after, rel=1e-3),
    }  # fmt: skip
    assert told["rose"] == {"so": 0, "of": 0, "held_out": 0}


def test_the_shipped_shares_are_the_shipped_counts() -> None:
    shipped = yaml.safe_load(LEARNED.read_text())
    counts = {share: (told["so"], told["of"]) for share, told in shipped["learned"]["shares"]["counts"].items()}
    assert parse_settings({}).shares == laplace(counts) == ShareOptions(**shipped["shares"])


def test_a_setting_overrides_a_share() -> None:
    shares = parse_settings({"shares": {"left": 0.3}}).shares
    assert shares.left == 0.3 and shares.rose == parse_settings({}).shares.rose


def test_stories_of_seeds_that_follow_each_other_are_none_twice() -> None:
    wanted = [(family.name if family else "", seed) for family, seed in [*of_all((7, 8), ()), *of_passing((7, 8), ())]]
    assert len(set(wanted)) == len(wanted)
    assert {family for family, _ in of_passing((7,), ("swap",)) if family} == {FAMILIES["swap"]}
    with pytest.raises(FamilyError):
        of_all((7,), ("chaos",))
