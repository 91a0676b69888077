"""How well and how fast palms are told apart, among how many people.

In: a :class:`~smartstore.palm.population.Population`. Out: error rates of the whole path over all limits of distance
(liveness, nearest, limit, margin), times of identification, and what an exhaustive search by other means finds.

Words of ISO/IEC 19795-1: FNMR is the share of presentations by enrolled people that do not let them in, liveness
failures included; FMR the share of presentations by strangers that let them in as anybody, which grows with the number
of people enrolled.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from smartstore.palm.matcher import Matcher, MatchOptions
from smartstore.palm.population import ATTACKS, DIMENSION, Attack, Population
from smartstore.palm.templates import BITS, Bits, TemplateKey, TemplateMaker, distance

_AT_ONCE = 4096
_STRANGERS = 1 << 40
"""Numbers of people who are never enrolled."""

Progress = Callable[[str, float], None]
Indices = NDArray[np.int64]


class Rates(msgspec.Struct, frozen=True):
    """Error rates at one limit of distance."""

    most_distance: float
    fnmr: float
    fmr: float
    taken_for_another: float
    """Share of presentations by enrolled people that let them in as somebody else."""
    fmr_of_one: float
    """Share of comparisons of a stranger with one enrolled person that are nearer than the limit."""


class AttackRates(msgspec.Struct, frozen=True):
    """What becomes of copies of enrolled palms at the limits of the service."""

    attack: str
    presentations: int
    pass_liveness: float
    match: float
    let_in: float


class Speed(msgspec.Struct, frozen=True):
    """Times of one identification, transform included, in milliseconds: CPU time of its thread, and the wall's."""

    cpu_p50_ms: float
    cpu_p95_ms: float
    wall_p50_ms: float
    wall_p95_ms: float
    recall: float
    """Share of palms for which a plain search by NumPy has the same nearest distance."""
    recall_palms: int


class BenchResult(msgspec.Struct, frozen=True):
    """Everything about one number of people."""

    people: int
    seed: int
    palms: int
    build_cpu_s: float
    template_mb: float
    speed: Speed
    at_options: Rates
    attacks: list[AttackRates]
    curve: list[Rates]


class _Seen(msgspec.Struct, frozen=True):
    """Presentations: liveness, distances to whoever it is (1 for strangers) and to the nearest two of the others."""

    liveness: NDArray[np.float64]
    own: NDArray[np.float64]
    other: NDArray[np.float64]
    other_2: NDArray[np.float64]

    def let_in(self, most: float, options: MatchOptions) -> NDArray[np.bool_]:
        """Who comes in as who they are."""
        clear = self.other - self.own >= options.least_margin
        return np.asarray((self.liveness >= options.least_liveness) & (self.own <= most) & clear)

    def mistaken(self, most: float, options: MatchOptions) -> NDArray[np.bool_]:
        """Who comes in as somebody else."""
        clear = np.minimum(self.own, self.other_2) - self.other >= options.least_margin
        return np.asarray((self.liveness >= options.least_liveness) & (self.other <= most) & clear)


def bench(people: int, palms: int, seed: int, progress: Progress = lambda *_: None) -> BenchResult:
    """Enrols so many people and shows the scanner ``palms`` palms of them, and as many of strangers."""
    population, options, maker = Population(seed), MatchOptions(), bench_maker(seed)
    started = time.process_time()
    matcher = enrol(population, maker, people, options, lambda done: progress("enrolling", done))
    build_s = time.process_time() - started
    who = np.sort(np.random.default_rng([seed, people]).integers(0, people, palms))
    speed = measure(population, maker, matcher, who, lambda done: progress("timing", done))
    genuine = _present(matcher, maker, population.captured(who), who, population.liveness(who), progress, "people")
    nobody = _STRANGERS + np.arange(palms)
    alive = population.liveness(nobody)
    strangers = _present(matcher, maker, population.captured(nobody), None, alive, progress, "strangers")
    victims = who[:: min(8, palms)]
    limits = np.arange(round(0.05 * BITS), round(0.45 * BITS)) / BITS
    return BenchResult(
        people, seed, palms, build_s, people * BITS / 8e6, speed,
        _rates(options.most_distance, genuine, strangers, people),
        [_attack(population, maker, matcher, victims, attack, options, progress) for attack in ATTACKS],
        [_rates(float(limit), genuine, strangers, people) for limit in limits],
    )  # fmt: skip


def enrol(
    population: Population, maker: TemplateMaker, people: int, options: MatchOptions, progress: Callable[[float], None]
) -> Matcher:
    """A matcher that knows the first ``people`` of a population, under their numbers."""
    matcher = Matcher(options)
    matcher.reserve(people)
    for first in range(0, people, _AT_ONCE):
        count = min(_AT_ONCE, people - first)
        for number, template in enumerate(maker.templates(population.enrolled(first, count)), first):
            matcher.add(str(number), template)
        progress((first + count) / people)
    return matcher


def measure(
    population: Population, maker: TemplateMaker, matcher: Matcher, who: Indices,
    progress: Callable[[float], None] = lambda _: None, rounds: int = 300,
) -> Speed:  # fmt: skip
    """Identifies one palm after the other, as gates ask."""
    palms = population.captured(who[:rounds], visit=1)
    times = []
    for done, palm in enumerate(palms):
        cpu, wall = time.thread_time(), time.perf_counter()  # noqa: TID251 - what is measured
        matcher.identify(maker.template(palm), 1.0)
        times.append((time.thread_time() - cpu, time.perf_counter() - wall))  # noqa: TID251
        progress((done + 1) / len(palms))
    checked = palms[: max(200, 20_000_000 // len(matcher))]
    same = [matcher.nearest(t, 1)[0][0] == matcher.distances(t).min() for t in maker.templates(checked)]
    (cpu_p50, wall_p50), (cpu_p95, wall_p95) = np.quantile(np.array(times) * 1e3, (0.5, 0.95), axis=0).tolist()
    return Speed(cpu_p50, cpu_p95, wall_p50, wall_p95, float(np.mean(same)), len(same))


def bench_maker(seed: int) -> TemplateMaker:
    """Makes templates with a key of the seed, for measuring only."""
    rng = np.random.default_rng([seed, 0xBE])
    return TemplateMaker(TemplateKey(rng.bytes(32), rng.bytes(16)), DIMENSION)


def _present(
    matcher: Matcher, maker: TemplateMaker, palms: NDArray[np.float32], who: Indices | None,
    liveness: NDArray[np.float64], progress: Progress, what: str,
) -> _Seen:  # fmt: skip
    own, nearest = np.ones(len(palms)), np.ones((len(palms), 2))
    for part in _parts(len(palms)):
        templates = maker.templates(palms[part])
        distances, rows = matcher.search(templates, 3)
        if who is not None:
            own[part] = distance(matcher.templates(who[part]), templates)
            distances[rows == who[part, np.newaxis]] = 1.0
        nearest[part] = np.sort(distances, axis=1)[:, :2]
        progress(what, part.stop / len(palms))
    return _Seen(liveness, own, nearest[:, 0], nearest[:, 1])


def _attack(
    population: Population, maker: TemplateMaker, matcher: Matcher, who: Indices, attack: Attack, options: MatchOptions,
    progress: Progress,
) -> AttackRates:  # fmt: skip
    scores, most = population.liveness(who, attack), options.most_distance
    seen = _present(matcher, maker, population.attacked(who, attack), who, scores, progress, attack.name)
    blind = MatchOptions(most, options.least_margin, least_liveness=0.0)
    alive, match, both = scores >= options.least_liveness, seen.let_in(most, blind), seen.let_in(most, options)
    return AttackRates(attack.name, len(who), float(alive.mean()), float(match.mean()), float(both.mean()))


def _rates(most: float, genuine: _Seen, strangers: _Seen, people: int) -> Rates:
    options = MatchOptions()
    near = (strangers.other <= most).sum() + (strangers.other_2 <= most).sum()
    return Rates(
        most, float(1 - genuine.let_in(most, options).mean()), float(strangers.mistaken(most, options).mean()),
        float(genuine.mistaken(most, options).mean()), float(near / len(strangers.own) / people),
    )  # fmt: skip


def _parts(count: int, size: int = 256) -> Iterator[slice]:
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def some_templates(people: int, seed: int, shown: int = 500) -> tuple[Bits, Bits, Indices]:
    """Templates of so many people, of palms that some of them show, and whose palms these are."""
    population, maker = Population(seed), bench_maker(seed)
    matcher = enrol(population, maker, people, MatchOptions(), lambda _: None)
    who = np.random.default_rng([seed, people]).integers(0, people, shown)
    return matcher.templates(np.arange(people)), maker.templates(population.captured(who)), who


def speed_rows(people: int = 100_000) -> list[tuple[str, float, str]]:
    """What, figure and unit of a short measurement, for a table of speeds."""
    population, who = Population(seed=1), np.arange(0, people, people // 300)
    maker = bench_maker(seed=1)
    started = time.process_time()
    matcher = enrol(population, maker, people, MatchOptions(), lambda _: None)
    built_s = time.process_time() - started
    speed = measure(population, maker, matcher, who)
    what = f"palm among {people:,}"
    rows: list[tuple[str, Any, str]] = [
        (f"{what}, p50", speed.cpu_p50_ms, "ms of CPU"), (f"{what}, p95", speed.cpu_p95_ms, "ms of CPU"),
        (f"{what}, p95, wall", speed.wall_p95_ms, "ms"),
        (f"{what}, recall of {speed.recall_palms}", speed.recall, "of exhaustive search"),
        (f"{people:,} palms made and enrolled", people / built_s, "per s of CPU"),
    ]  # fmt: skip
    return rows
