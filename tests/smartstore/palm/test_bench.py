"""The bench measures what it says: its rates are those of the service's own decisions, its search misses nobody."""

import json
from pathlib import Path

import numpy as np
import pytest

from smartstore.cli import run
from smartstore.palm.bench import bench, bench_maker, enrol, some_templates
from smartstore.palm.bench_indexes import compare
from smartstore.palm.matcher import Matcher, MatchOptions
from smartstore.palm.population import DIMENSION, Population
from smartstore.palm.templates import TemplateKey, TemplateMaker, distance

MAKER = TemplateMaker(TemplateKey(b"k" * 32, b"bench"), DIMENSION)


def test_people_are_the_same_in_any_company() -> None:
    population, some = Population(3), np.array([7, 4095, 4096, 100_000])
    alone = np.concatenate([Population(3)._palms(np.array([person])) for person in some])
    assert (population._palms(some) == alone).all()
    assert not np.allclose(population._palms(some), Population(4)._palms(some))


def test_a_person_is_like_themselves_and_unlike_others() -> None:
    population, people = Population(3), np.arange(2000)
    first, again = MAKER.templates(population.enrolled(0, 2000)), MAKER.templates(population.captured(people))
    own, others = distance(first, again), distance(first, np.roll(again, 1, axis=0))
    assert np.median(own) == pytest.approx(0.16, abs=0.02) and own.max() > 0.3
    assert others.mean() == pytest.approx(0.5, abs=0.005) and others.std() == pytest.approx(0.036, abs=0.004)


def test_prints_match_as_often_as_was_measured_and_rarely_look_alive() -> None:
    found = {attack.attack: attack for attack in bench(500, 2000, seed=2).attacks}
    assert found["print"].match == pytest.approx(0.65, abs=0.15)
    assert found["print"].pass_liveness < found["screen"].pass_liveness < found["cast"].pass_liveness < 0.2
    assert all(attack.let_in <= min(attack.match, attack.pass_liveness) for attack in found.values())


def test_the_rates_are_those_of_the_services_own_decisions() -> None:
    result, options = bench(300, 200, seed=5), MatchOptions()
    population, maker = Population(5), bench_maker(5)
    matcher = enrol(population, maker, 300, options, lambda _: None)
    who = np.sort(np.random.default_rng([5, 300]).integers(0, 300, 200))
    shown = zip(who, maker.templates(population.captured(who)), population.liveness(who), strict=True)
    let_in = [matcher.identify(template, alive).person == str(person) for person, template, alive in shown]
    assert result.at_options.fnmr == pytest.approx(1 - np.mean(let_in))
    nobody = maker.templates(population.captured((1 << 40) + np.arange(200)))
    strange = np.concatenate([matcher.distances(template) for template in nobody])
    one = {rates.most_distance: rates.fmr_of_one for rates in result.curve if rates.most_distance < 0.36}
    assert [one[most] for most in one] == pytest.approx([float(np.mean(strange <= most)) for most in one], abs=1e-4)
    rates = [(rates.fnmr, rates.fmr) for rates in result.curve]
    assert rates[0][0] > 0.9 and rates[0][1] == 0
    assert [fnmr for fnmr, _ in rates] == sorted((fnmr for fnmr, _ in rates), reverse=True)
    assert [fmr for _, fmr in rates] == sorted(fmr for _, fmr in rates)


def test_the_search_finds_what_numpy_finds() -> None:
    population, matcher = Population(6), Matcher()
    for number, template in enumerate(MAKER.templates(population.enrolled(0, 3000))):
        matcher.add(str(number), template)
    for gone in range(0, 3000, 7):
        matcher.remove(str(gone))
    for template in MAKER.templates(population.captured(np.arange(60))):
        distances, people = matcher.nearest(template, 3)
        everybody = np.sort(matcher.distances(template))
        assert distances == everybody[:3].tolist() and not [person for person in people if int(person) % 7 == 0]


def test_indexes_are_compared_on_the_same_palms() -> None:
    results = list(compare(*some_templates(2000, seed=1, shown=40)))
    assert results[0].index == "faiss, exhaustive" and results[0].recall > 0.95
    assert {result.index.split(",")[0] for result in results} >= {"faiss"}
    assert all(result.recall <= results[0].recall for result in results)


def test_a_bench_keeps_what_it_has_and_goes_on_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ["palm", "bench", "--palms", "40", "--out", str(tmp_path)]
    assert run([*told, "--people", "100"]) == 0
    before = json.loads((tmp_path / "bench.json").read_text())
    assert run([*told, "--people", "100", "--people", "200"]) == 0
    after = json.loads((tmp_path / "bench.json").read_text())
    assert [result["people"] for result in after] == [100, 200] and after[0] == before[0]
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")
    assert "copies of palms" in capsys.readouterr().out
    (tmp_path / "bench.json").write_text("[1]")
    assert run([*told, "--people", "100"]) == 2
    assert "was not written by this program" in capsys.readouterr().err
