"""What evidence is worth is learned: worse parameters make the truth less likely, and are mended."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from sims.building import load_building
from sims.devices import edge_model
from sims.devices.edge_model import FOLDER, SHIPPED
from sims.lab import learn
from sims.lab.families import FAMILIES, FamilyError
from sims.lab.families.stage import STORES
from sims.lab.learn import PARAMETERS, LearnError, LearnRequest, Parameter
from sims.lab.learn_record import Story, judge, log_likelihood, record
from sims.lab.learn_stories import story_key
from sims.lab.reliability import calibration_error, draw_reliability, reliability
from smartstore.pipeline import PipelineOptions
from smartstore.settings import parse_settings
from smartstore.site import Site, load_site

STORE = STORES / "corner.yaml"
BY_HAND = FOLDER / "by-hand.yaml"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(STORE)


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    """Two people at one shelf: who did it is the question."""
    scenario = FAMILIES["two-at-one-shelf"].scenario(load_building(STORE), 403)
    return record(scenario, STORE, site, 403)


def test_every_true_change_is_judged_once_and_most_are_right(story: Story, site: Site) -> None:
    judged = judge(story, site, PipelineOptions())
    moved = [one for one in judged if one.truth[2]]
    assert sum(abs(one.truth[2]) for one in moved) >= len(story.changes) - 1
    assert sum(one.chosen == one.truth for one in moved) >= len(moved) - 1
    assert all(0 < one.probability <= 1 for one in judged)


def test_hands_that_are_not_trusted_make_the_truth_less_likely(story: Story, site: Site) -> None:
    options = PipelineOptions()
    blind = replace(options, evidence=replace(options.evidence, hand_hit=0.001, body_sigma_m=50.0))
    assert log_likelihood(judge(story, site, blind)) < log_likelihood(judge(story, site, options)) - 0.1


def test_a_parameter_that_was_spoilt_is_mended(story: Story, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    options = PipelineOptions()
    noisy = Parameter("evidence", "hand_sigma_m", "length")
    monkeypatch.setattr(learn, "PARAMETERS", (noisy,))
    monkeypatch.setattr(learn, "WANDER", 50.0)
    spoilt = replace(options, evidence=replace(options.evidence, hand_sigma_m=3.0))
    mended = learn._search([(story, site)], spoilt, 4, lambda _: None)
    assert mended.evidence.hand_sigma_m < 1.0


def test_what_was_learned_is_written_with_what_it_is_worth(
    story: Story, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "stories", lambda *_: [(story, site)])
    monkeypatch.setattr(learn, "PARAMETERS", (Parameter("joint", "temperature", "length"),))
    out = tmp_path / "learned.yaml"
    written = learn.learn(LearnRequest((403,), (404,), out), PipelineOptions())
    assert yaml.safe_load(out.read_text()) == written
    assert out.with_suffix(".png").stat().st_size > 5_000
    options = PipelineOptions()
    tuned = replace(options, joint=replace(options.joint, temperature=written["joint"]["temperature"]))
    before, after = (judge(story, site, which) for which in (options, tuned))
    told = written["learned"]
    assert told["decisions"] == {"learned_from": len(after), "held_out": len(after)}
    for likelihood in told["log_likelihood"].values():
        assert likelihood["before"] == pytest.approx(log_likelihood(before), rel=1e-3)
        assert likelihood["after"] == pytest.approx(log_likelihood(after), rel=1e-3)
    assert told["log_likelihood"]["learned_from"]["after"] > told["log_likelihood"]["learned_from"]["before"]
    assert told["right"]["before"] > 0.7
    assert set(written["shares"]) == set(told["shares"]["counts"]) == set(asdict(options.shares))


def test_what_was_found_before_is_judged_and_not_moved(
    story: Story, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "stories", lambda *_: [(story, site)])
    options = PipelineOptions()
    found = replace(options, joint=replace(options.joint, temperature=1.5))
    out = tmp_path / "learned.yaml"
    out.write_text("joint: {temperature: 1.5}\nlearned: {seeds: [3], shares: {seeds: [4]}}\n")
    written = learn.rejudge(LearnRequest((403,), (404,), out), options, found)
    assert yaml.safe_load(out.read_text()) == written
    assert written["joint"]["temperature"] == 1.5 and written["learned"]["shares"] == {"seeds": [4]}
    assert list(written)[-1] == "learned"
    held_out = written["learned"]["log_likelihood"]["held_out"]
    assert held_out["after"] == pytest.approx(log_likelihood(judge(story, site, found)), rel=1e-3)
    assert held_out["before"] == pytest.approx(log_likelihood(judge(story, site, options)), rel=1e-3)


def test_shares_alone_can_be_counted_anew(
    story: Story, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "stories", lambda *_: [(story, site)])
    out = tmp_path / "learned.yaml"
    out.write_text("joint: {temperature: 1.25}\nshares: {left: 0.9}\nlearned: {seeds: [3]}\n")
    written = learn.recount(LearnRequest((403,), (404,), out), PipelineOptions())
    assert yaml.safe_load(out.read_text()) == written
    assert written["joint"] == {"temperature": 1.25} and written["learned"]["seeds"] == [3]
    assert written["shares"]["left"] == 0.5, "nobody stooped in this story"
    assert written["learned"]["shares"]["seeds"] == [403] and list(written)[-1] == "learned"


def test_a_kept_story_is_of_the_same_documents(tmp_path: Path) -> None:
    """The error model of the cameras is a document of its own, beside the scenario; so is a store's catalogue."""
    edge = tmp_path / "edge-2.yaml"
    shutil.copy(BY_HAND, edge)
    scenario = FAMILIES["plain"].scenario(load_building(STORE), 1).model_copy(update={"edge": str(edge)})
    key = story_key(scenario, STORE, 1)
    assert story_key(scenario, STORE, 1) == key != story_key(scenario, STORE, 2)
    shutil.copy(SHIPPED, edge)
    edge_model._load.cache_clear()
    assert story_key(scenario, STORE, 1) != key


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: f"{p.section}.{p.name}")
def test_parameters_stay_what_they_are_on_their_own_scale(parameter: Parameter) -> None:
    options = PipelineOptions()
    same = parameter.set(options, parameter.get(options))
    value, before = (getattr(getattr(o, parameter.section), parameter.name) for o in (same, options))
    assert value == pytest.approx(before, rel=1e-3)
    assert parameter.set(options, parameter.get(options) + 0.3) != options


def test_seeds_that_are_learned_from_and_held_out_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(LearnError, match="seed 5 is learned from and held out"):
        learn.learn(LearnRequest((4, 5), (5, 6), tmp_path / "x.yaml"), PipelineOptions())
    assert not list(tmp_path.iterdir())


def test_a_family_that_does_not_exist_is_an_error_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match="there is no family 'chaos'; there are plain,"):
        learn.learn(LearnRequest((4,), (5,), tmp_path / "x.yaml", ("chaos",)), PipelineOptions())


def test_what_was_learned_is_what_the_service_uses_unless_a_file_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartstore import settings

    told = tmp_path / "learned.yaml"
    told.write_text("learned: {seeds: [1]}\nevidence: {hand_sigma_m: 0.123, hand_hit: 0.5}\n")
    monkeypatch.setattr(settings, "LEARNED", told)
    settings.learned.cache_clear()
    try:
        assert parse_settings({}).evidence.hand_sigma_m == 0.123
        mixed = parse_settings({"evidence": {"hand_hit": 0.7}}).evidence
        assert (mixed.hand_sigma_m, mixed.hand_hit) == (0.123, 0.7)
    finally:
        settings.learned.cache_clear()


def test_calibration_is_the_gap_between_what_was_said_and_what_came_true(tmp_path: Path) -> None:
    honest = [(0.75, i % 4 != 0) for i in range(400)]
    boaster = [(0.999, i % 4 != 0) for i in range(400)]
    assert calibration_error(reliability(honest)) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(reliability(boaster)) == pytest.approx(0.249, abs=1e-3)
    draw_reliability(tmp_path / "x.png", reliability(honest + boaster))
    assert (tmp_path / "x.png").stat().st_size > 5_000
