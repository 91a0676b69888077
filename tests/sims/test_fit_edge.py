"""Fits find the numbers that made the data, and the comparison of both fidelities says what was asked."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from sims.devices.edge_laws import GROUPS
from sims.devices.edge_model import FOLDER, EdgeModel, load_edge_model
from sims.lab import fidelity
from sims.lab.fidelity import Comparison
from sims.lab.fit_edge import FitError, FitRequest, about, fit_edge, write_model
from sims.lab.fit_edge_facings import fit_facings, story
from sims.lab.fit_edge_goodness import found_likelihood, goodness, rates, see
from sims.lab.fit_edge_joints import fit_joints
from sims.lab.fit_edge_maths import (
    both,
    kolmogorov,
    logistic,
    luck_memory,
    noise_memory,
    radial,
    tail_beside,
    to_normal,
)
from sims.lab.fit_edge_people import fit_finding
from sims.lab.fit_edge_record import Read, Recording, Shot, Take, store_id
from sims.lab.fit_edge_samples import Staged, samples, stage
from sims.scenario import load_scenario
from sims.scene import BodyState
from tests.sims.edge import but
from tests.sims.playing import ROOT, SCENARIOS

SECOND = 1_000_000_000


def rng() -> np.random.Generator:
    return np.random.default_rng(12)


# Small fits


def test_logistic_slopes_are_found_again() -> None:
    features = np.column_stack([np.ones(20_000), rng().normal(size=(20_000, 2))])
    true = np.array([-0.5, 2.0, -1.0])
    outcomes = rng().random(20_000) < 1 / (1 + np.exp(-(features @ true)))
    assert logistic(features, outcomes) == pytest.approx(true, abs=0.1)


def test_two_normal_numbers_with_a_correlation() -> None:
    half = np.array([0.5])
    assert both(half, half, 0.0)[0] == pytest.approx(0.25)
    assert both(half, half, 0.5)[0] == pytest.approx(1 / 4 + np.arcsin(0.5) / (2 * np.pi), abs=1e-4)
    assert both(half, np.array([0.1]), 0.98)[0] == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize("memory_s", [0.2, 1.0, 4.0])
def test_the_memory_of_luck_is_found_again(memory_s: float) -> None:
    random = rng()
    gap_s = random.uniform(0.2, 1.2, 20_000)
    keep = np.exp(-gap_s / memory_s)
    first = random.normal(size=20_000)
    second = keep * first + np.sqrt(1 - keep**2) * random.normal(size=20_000)
    chance = np.full(20_000, 0.8)
    outcome = (first < 0.8416, second < 0.8416)
    assert luck_memory((chance, chance), outcome, gap_s)[0] == pytest.approx(memory_s, rel=0.35)


def test_noise_that_is_partly_new_in_every_frame() -> None:
    random = rng()
    gap_s = random.choice([0.2, 0.4, 0.6, 1.0], 40_000)
    keep = 0.6 * np.exp(-gap_s / 1.5)
    first = random.normal(size=40_000)
    second = keep * first + np.sqrt(1 - keep**2) * random.normal(size=40_000)
    share, memory_s = noise_memory(first, second, gap_s)
    assert share == pytest.approx(0.6, abs=0.06)
    assert memory_s == pytest.approx(1.5, rel=0.3)


def test_heavy_tails_are_found_by_quantiles_and_taken_away_again() -> None:
    radius = np.sqrt(rng().chisquare(2, 50_000))
    sizes = 0.02 * radius * np.exp(0.2 * radius**2 / 2)
    sigma, tail = radial(sizes)
    assert (sigma, tail) == pytest.approx((0.02, 0.2), rel=0.03)
    small = radius < 4
    assert to_normal(sizes, np.full(50_000, 0.02), 0.2)[small] == pytest.approx(radius[small], abs=0.01)


def test_tails_of_what_is_remembered_are_found_beside_what_is_new_in_every_frame() -> None:
    steady, new = rng().normal(size=(2, 50_000, 2))
    tails = 0.3 * np.minimum((steady**2).sum(axis=1), 12.0) / 2
    level = np.log(0.02 * np.linalg.norm(np.sqrt(0.6) * steady + np.sqrt(0.4) * new, axis=1)) + tails
    tail, middle = tail_beside(level, trouble=0.0, fresh=0.4)
    assert tail == pytest.approx(0.3, abs=0.03)
    assert np.exp(np.median(level)) / middle == pytest.approx(0.02, rel=0.05)


def test_the_distance_of_two_distributions() -> None:
    values = rng().normal(size=4000)
    assert kolmogorov(values, values + 10) == 1.0
    assert kolmogorov(values, values) == 0.0
    assert kolmogorov(values[:2000], values[2000:]) < 0.06
    assert np.isnan(kolmogorov(values, np.empty(0)))


# A whole fit, of a model whose reports stand in for the detector's


@pytest.fixture(scope="module")
def staged() -> list[Staged]:
    """People who walk about in the corner store, posed and projected; nothing was found yet."""
    scenario = load_scenario(SCENARIOS / "corner-rush.yaml")
    return [
        _walk(Take(ROOT / "configs/stores/corner.yaml", scenario, seed, ("c1", "c2"), 60.0), seed) for seed in (1, 2)
    ]


def _walk(take: Take, seed: int) -> Staged:
    random = np.random.default_rng(seed)
    shots = []
    at = random.uniform((0.8, 1.0), (5.2, 7.0), (4, 2))
    for k in range(220):
        at = np.clip(at + random.normal(0, 0.12, at.shape), (0.7, 0.6), (5.3, 7.4))
        people = [
            BodyState(f"p{i}", i, i, float(x), float(y), float(0.1 * k), 0.5, (0.1 * k) % 1.0)
            for i, (x, y) in enumerate(at)
        ]
        shots += [Shot(camera, k * SECOND // 5, [], people, [], {}) for camera in take.cameras]
    return stage(take, Recording("corner", seed, shots))


def test_a_fit_to_a_model_gives_the_model_back(staged: list[Staged]) -> None:
    law = {"base": -1.0, "size": 0.7, "shown": 4.0, "cut": -1.5, "crowd": -2.0}
    true = but(
        {"people.finding.chance": law, "people.finding.memory_s": 0.05}, load_edge_model(FOLDER / "default.yaml")
    )
    rows = samples(staged, true)
    finding = fit_finding(rows, true.people.finding.score_least)
    wanted = true.people.finding
    assert rows.found.sum() > 700
    for shown in (0.3, 0.6, 1.0):
        features = np.array([1.0, 0.0, shown, 0.0, 0.0])
        slopes = np.array([finding["chance"][name] for name in ("base", "size", "shown", "cut", "crowd")])
        odds = [1 / (1 + np.exp(-float(features @ s))) for s in (slopes, wanted.chance.vector)]
        assert odds[0] == pytest.approx(odds[1], abs=0.12)
    joints = fit_joints(rows)
    for group in ("shoulders", "hips", "wrists"):
        assert joints["seen"]["sigma"][group] == pytest.approx(getattr(true.people.joints.seen.sigma, group), rel=0.5)
    assert set(joints["scores"]) == set(GROUPS)
    assert 0.3 * true.people.joints.memory_s < joints["memory_s"] < 4 * true.people.joints.memory_s


def test_a_wrist_that_is_far_off_is_so_in_the_next_frame_again(staged: list[Staged]) -> None:
    """A hand that misleads for one frame is soon outvoted, one that stays is not."""
    model = load_edge_model(FOLDER / "corner.yaml")
    forgetful = but({"people.joints.memory_s": 0.01, "people.joints.fresh": 1.0}, model)
    found = [rates(see(staged[:1], which)) for which in (model, forgetful)]
    assert found[0]["wrists_far_off_stay_so"] > 2 * found[0]["wrists_far_off"]
    assert found[0]["wrists_far_off_stay_so"] > found[1]["wrists_far_off_stay_so"] + 0.1


def test_a_model_fits_its_own_reports_better_than_another_does(staged: list[Staged]) -> None:
    true, other = load_edge_model(FOLDER / "default.yaml"), load_edge_model(FOLDER / "by-hand.yaml")
    real = see(staged, true)
    again = see(staged[:1], true)
    assert np.array_equal(again.rows.score, real.rows.score[: len(again.rows.score)]), "reports can be repeated"
    document = goodness(real, real, see(staged, other), (true, other))
    assert document["found_log_likelihood"]["fitted"] > document["found_log_likelihood"]["hand_set"]
    assert document["kolmogorov"]["score"]["fitted"] == 0.0
    assert document["kolmogorov"]["score"]["hand_set"] > 0.1
    assert document["rates"]["found"]["fitted"] == document["rates"]["found"]["measured"]
    json.dumps(document)
    sure = found_likelihood(real.rows, np.full(len(real.rows.found), 0.999))
    assert sure[0] < document["found_log_likelihood"]["fitted"]


def test_a_model_written_down_is_the_same_model(tmp_path: Path) -> None:
    model = load_edge_model(FOLDER / "by-hand.yaml")
    write_model(tmp_path / "copy.yaml", model.model_dump(by_alias=True))
    assert load_edge_model(tmp_path / "copy.yaml") == model
    assert isinstance(EdgeModel.model_validate(yaml.safe_load((tmp_path / "copy.yaml").read_text())), EdgeModel)


def test_changes_of_facings_are_told_from_reports() -> None:
    """Three takes: one noticed, one miscounted and misnamed, one never noticed; and one change that nobody made."""
    scenario = load_scenario(SCENARIOS / "corner-quiet.yaml")
    take = Take(ROOT / "configs/stores/corner.yaml", scenario, 1, ("s1",), 90.0)
    names = [f"g1-1-{letter}" for letter in "abcd"]
    building = stage(take, Recording("corner", 1, [Shot("s1", 0, [], [], [], {})])).building
    skus = {name: building.facings[name].sku for name in names}
    capacity = {name: building.facings[name].columns * building.facings[name].rows for name in names}
    shots = []
    for k in range(160):
        stock, facings = {}, []
        for n, name in enumerate(names):
            gone = n < 3 and k >= 20
            if k in (0, 20):
                stock[name] = ((skus[name],) * (9 if gone else 10),)
            told = k >= 21 and n < 2
            items = 10 - (told if n == 0 else 2 * told) - (n == 3 and 40 <= k < 44)
            change = 0.9 if (k == 21 and n < 2) or (n == 3 and k in (40, 44)) else 0.02
            best = skus[names[0]] if change > 0.5 else ""
            facings.append(Read(name, items / capacity[name], change, best, k == 0))
        shots.append(Shot("s1", k * SECOND // 2, [], [], facings, stock))
    told = story([stage(take, Recording("corner", 1, shots))])
    assert sorted(answer.delay_s for answer in told.answers) == [0.5, 0.5, np.inf]
    assert [answer.wrong_by for answer in told.answers if answer.delay_s < 1] == [0, -1]
    assert [answer.named for answer in told.answers if answer.delay_s < 1] == [True, False]
    assert told.invented == [2.0]
    fitted = fit_facings(told)
    assert fitted["invented_per_min"] == pytest.approx(1 / told.minutes)
    assert fitted["miscounted"] == 0.5


def test_a_model_says_which_stores_it_was_fitted_to(staged: list[Staged]) -> None:
    """Two seeds, three stores: the third one had no turn."""
    request = FitRequest((Path("corner.yaml"),) * 2 + (Path("market.yaml"),), Path("x.yaml"), (1, 2), (3,), Path("m"))
    said = about(request, staged, samples(staged, load_edge_model(FOLDER / "perfect.yaml")))
    assert said["stores"] == ["corner"]
    assert said["scenario"] == "corner-rush"
    assert (said["seeds"], said["held_out"]) == ([1, 2], [3])


@pytest.mark.parametrize("changed", ["corner.yaml", "pictures/corner/2000110401009.png"])
def test_a_recording_is_not_taken_for_one_of_another_catalogue(tmp_path: Path, changed: str) -> None:
    catalogues = tmp_path / "catalogues"
    shutil.copytree(ROOT / "data/catalogues", catalogues)
    text = (ROOT / "configs/stores/corner.yaml").read_text().replace("../../data/catalogues", "catalogues")
    store = tmp_path / "corner.yaml"
    store.write_text(text)
    scenario = load_scenario(SCENARIOS / "corner-rush.yaml")
    take = Take(store, scenario, 1, ("c1",), 60.0)
    before = take.key(), store_id(store)
    assert (take.key(), store_id(store)) == before
    with (catalogues / changed).open("ab") as file:
        file.write(b"\n")
    assert take.key() != before[0]
    assert store_id(store) != before[1]


def test_a_seed_cannot_be_fitted_and_held_out(tmp_path: Path) -> None:
    request = FitRequest((), SCENARIOS / "corner-rush.yaml", (1, 2), (2, 3), tmp_path / "model.yaml")
    with pytest.raises(FitError, match="seed 2 is fitted and held out"):
        fit_edge(request)


# Both fidelities


def score(f1: float, idf1: float) -> dict[str, object]:
    return {
        "item_f1": f1, "floor": {"idf1": idf1, "moda": 0.9}, "event_precision": 1.0, "event_recall": 0.985,
        "exact_receipt_rate": 0.5, "overcharge": 0.0, "review_rate": 0.1,
    }  # fmt: skip


def test_what_was_run_already_is_not_run_again_and_differences_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    def play(path: Path, seed: int, played: str, *_: object) -> dict[str, object]:
        runs.append((played, seed))
        return score(0.95 if played == "frames" else 0.96, 0.99 if played == "frames" else 0.95)

    monkeypatch.setattr(fidelity, "play", play)
    rows = fidelity.compare([SCENARIOS / "corner-quiet.yaml"], [1, 2], tmp_path)
    assert sorted(runs) == [("edge", 1), ("edge", 2), ("frames", 1), ("frames", 2)]
    again = fidelity.compare([SCENARIOS / "corner-quiet.yaml"], [1, 2], tmp_path)
    assert again == rows
    assert len(runs) == 4
    verdicts = {row.measure: (round(row.difference, 3), row.verdict) for row in rows}
    assert verdicts["item F1"] == (0.01, "yes")
    assert verdicts["floor IDF1"] == (-0.04, "no")
    assert verdicts["event recall"] == (0.0, "yes")
    assert verdicts["exact receipts"] == (0.0, "")
    fidelity.compare([SCENARIOS / "corner-quiet.yaml"], [1], tmp_path, FOLDER / "perfect.yaml")
    assert runs[4:] == [("edge", 1)], "another model needs other edge runs only"


def test_the_table_names_scenario_seeds_difference_and_verdict() -> None:
    row = Comparison("corner-rush", (1, 2, 3), "item F1", 0.9, 0.93, 0.02)
    text = fidelity.markdown([row, replace(row, measure="review rate", asked=None, seeds=(1, 5))])
    assert "| `corner-rush` | 1–3 | item F1 | 0.900 | 0.930 | +0.030 | within 0.02 | no |" in text
    assert "| `corner-rush` | 1, 5 | review rate | 0.900 | 0.930 | +0.030 |  |  |" in text
    assert json.loads(json.dumps(fidelity.document([row])))[0]["as_asked"] is False
