"""The trial of facing readers: stories keep exact books, and scores count what was said against them."""

from pathlib import Path

import numpy as np
import pytest

from sims.building import Building, load_building
from sims.lab.facing_people import Deed, Episode
from sims.lab.facing_score import Case, Report, cases_of, figures
from sims.lab.facing_stories import Story
from sims.lab.facing_trial import Trial, TrialError, trial
from smartstore.domain.items import FacingChange

SECOND = 1_000_000_000
GRAMS = {"cola": 500.0, "lemonade": 503.0, "soap": 120.0}


@pytest.fixture(scope="module")
def building() -> Building:
    return load_building(Path("configs/stores/corner.yaml"))


def test_a_story_moves_exactly_what_it_says(building: Building) -> None:
    story = Story(building, building.cameras["s1"], [1.7] * 4, 12, np.random.default_rng(3))
    before = {facing: sum(map(len, columns)) for facing, columns in story.stock.view.items()}
    scenes = list(story.frames(2.0))
    moved = dict.fromkeys(before, 0)
    for episode in story.episodes:
        for deed in episode.deeds:
            moved[deed.facing] += deed.items
    assert {f: sum(map(len, columns)) for f, columns in scenes[-1].stock.items()} == {
        f: before[f] + moved[f] for f in before
    }
    kinds = {deed.kind for episode in story.episodes for deed in episode.deeds}
    assert {"take", "misplaced"} <= kinds
    assert not scenes[0].people and not scenes[-1].people
    assert any(person.right_hand_m is not None for scene in scenes for person in scene.people)


def change(facing: str, items: int, t_s: float, **scores: float) -> Report:
    ranked = tuple(sorted(scores.items(), key=lambda pair: -pair[1]))
    return Report(round(t_s * SECOND), FacingChange("s1", facing, 0, round(t_s * SECOND), items, 0.9, ranked))


def scored(deeds: list[Deed], reports: list[Report]) -> list[Case]:
    return cases_of([Episode(0, 5 * SECOND, deeds), Episode(20 * SECOND, 25 * SECOND)], reports, GRAMS, ())


def deed(facing: str, items: int, sku: str = "cola", kind: str = "take") -> Deed:
    return Deed(4 * SECOND, kind, facing, 0, sku, items)


def test_a_take_that_was_seen_counts_for_precision_recall_and_name() -> None:
    result = figures(scored([deed("a", -1)], [change("a", -1, 6.5, cola=0.9, soap=0.1)]))
    assert (result["precision"], result["recall"], result["sku_right"]) == (1.0, 1.0, 1.0)
    assert result["latency_s_p50"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("deeds", "reports", "precision", "recall"),
    [
        pytest.param([deed("a", -1)], [], None, 0.0, id="missed"),
        pytest.param([deed("a", -1)], [change("a", 1, 6)], 0.0, 0.0, id="the wrong way round"),
        pytest.param([deed("a", -1)], [change("b", -1, 6)], 0.0, 0.0, id="at the neighbour"),
        pytest.param([deed("a", -1)], [change("a", -2, 6)], 0.5, 1.0, id="one too many"),
        pytest.param([deed("a", -1)] * 2, [change("a", -1, 6)], 1.0, 0.5, id="one of two"),
        pytest.param([deed("a", -1)], [change("a", -1, 21)], 0.0, 0.0, id="only when the next one had come"),
        pytest.param([deed("a", 0, kind="touch")], [change("a", -1, 6)], 0.0, None, id="a touch taken for a take"),
    ],
)
def test_what_is_wrong_costs(deeds, reports, precision, recall) -> None:  # type: ignore[no-untyped-def]
    result = figures(scored(deeds, reports))
    assert (result["precision"], result["recall"]) == (precision, recall)


def test_the_name_is_judged_among_those_of_the_same_weight() -> None:
    (case,) = scored([deed("a", -1)], [change("a", -1, 6, soap=0.5, cola=0.3, lemonade=0.2)])
    assert (case.sku_right, case.alike_right) == (False, True)
    (alone,) = scored([deed("a", -1, "soap")], [change("a", -1, 6, soap=0.9)])
    assert alone.alike_right is None


def test_a_store_without_shelf_cameras_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="cannot be read"):
        trial(Trial(store=tmp_path / "attic.yaml"))


def test_a_short_trial_runs_from_story_to_figures(tmp_path: Path) -> None:
    result = trial(Trial(seeds=(31,), visits=1, people="true", out=tmp_path))
    assert result["all"]["items_moved"] >= 1
    assert result["all"]["recall"] == 1.0
    assert (tmp_path / "facings.json").is_file() and (tmp_path / "failures.jpg").is_file()
