"""What doubt costs: how sure a booking must be follows from prices in a file."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from smartstore.domain.events import CaseRaised, ItemTaken
from smartstore.fusion.bookings import Bookings
from smartstore.fusion.changes import Change
from smartstore.fusion.joint import Choice, Hypothesis
from smartstore.fusion.planogram import Planogram
from smartstore.fusion.policy import PolicyOptions, threshold
from smartstore.fusion.weights import KnownWeights
from smartstore.service import pipeline_options
from smartstore.settings import SettingsError, policy_schema, read_settings
from smartstore.site import load_site

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("review", "overcharge", "share", "value", "expected"), [
    (50, 100, 0.5, 200, 0.75), (50, 100, 0.5, 1800, 0.95), (0, 100, 0.5, 200, 1.0), (500, 100, 0.5, 200, 0.5),
    (50, 0, 0.0, 200, 0.5), (50, 500, 0.0, 0, 0.9),
], ids=["a snack", "a dear thing", "free reviews", "dear reviews", "errors cost nothing", "trust only"])  # fmt: skip
def test_how_sure_one_must_be_follows_from_what_a_review_and_an_error_cost(
    review: int, overcharge: int, share: float, value: int, expected: float
) -> None:
    assert threshold(PolicyOptions(review, overcharge, share), value) == pytest.approx(expected)


def test_at_the_threshold_booking_and_review_cost_the_same() -> None:
    policy, value = PolicyOptions(review_minor=40, overcharge_minor=150, undercharge_share=0.6), 300
    p = threshold(policy, value)
    assert (1 - p) * (policy.overcharge_minor + policy.undercharge_share * value) == pytest.approx(policy.review_minor)


def test_the_same_doubt_is_booked_for_a_cheap_thing_and_reviewed_for_a_dear_one() -> None:
    site = load_site(ROOT / "configs/stores/corner.yaml")
    by_price = sorted(site.facings.values(), key=lambda facing: site.items[facing.sku].price_minor)
    kinds = {}
    for facing in (by_price[0], by_price[-1]):
        bookings = Bookings(site, Planogram(site), KnownWeights(), 0.75, 5, PolicyOptions())
        claim = Hypothesis("v1", facing.sku, 1, facing.id, 0.0)
        change = Change("step:1", facing.fixture, facing.shelf, 0, 1, (facing.id,))
        likely = threshold(PolicyOptions(), site.items[by_price[0].sku].price_minor) + 0.01
        (event,) = bookings.book(change, Choice(claim, likely, ((claim, likely),)), 1, {})
        kinds[facing.id] = type(event)
    assert kinds == {by_price[0].id: ItemTaken, by_price[-1].id: CaseRaised}


def test_a_settings_file_names_its_policy(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("policy: prices.yaml\n")
    (tmp_path / "prices.yaml").write_text("review_minor: 70\n")
    settings = read_settings(tmp_path / "settings.yaml")
    assert settings.policy == PolicyOptions(review_minor=70)
    assert pipeline_options(settings).policy == settings.policy
    assert read_settings().policy is None


@pytest.mark.parametrize(("text", "says"), [
    ("review_minor: cheap\n", "prices.yaml: review_minor: .* not 'cheap'"),
    ("review_minor: -1\n", "prices.yaml: review_minor"),
    ("reviews: 1\n", "prices.yaml: unknown key reviews; known here: review_minor, "),
    ("- 1\n", "prices.yaml: the whole file: needs keys .*; see configs/policy.yaml"),
    ("a: [\n", "prices.yaml, line 2: is not YAML"),
    (None, "prices.yaml: cannot be read .*; correct policy in .*settings.yaml"),
])  # fmt: skip
def test_what_is_wrong_with_a_policy_is_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    (tmp_path / "settings.yaml").write_text("policy: prices.yaml\n")
    if text is not None:
        (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(SettingsError, match=says) as wrong:
        read_settings(tmp_path / "settings.yaml")
    assert "\n" not in str(wrong.value)


def test_the_shipped_policy_is_the_default_and_fits_the_schema_that_editors_use() -> None:
    shipped = yaml.safe_load((ROOT / "configs/policy.yaml").read_text())
    schema = json.loads((ROOT / "configs/policy.schema.json").read_text())
    assert PolicyOptions(**shipped) == PolicyOptions()
    assert schema == policy_schema(), "to write it anew: python -m smartstore.settings"
    jsonschema.validate(shipped, schema)
