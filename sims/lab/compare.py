"""``smartstore sim compare A B``: which of two designs is better, on paired seeds, with no more runs than it needs.

In: two designs. Out: for every measure the difference B - A with an interval, and a verdict in words. Both play the
same seeds, so that the same people come and want the same things; what stays the same cancels.

Looking again after every few pairs is paid for (K. Kim, D. DeMets, Biometrika 74, 1987: at a share t of the pairs, t
squared of the error may be spent), each look pays its own increment, and the measures that decide share it. So all of
their intervals at all looks hold together with 95 %, whatever looks and measures have to do with each other (Boole).

An interval is what two ways allow, each for half of its error. Student's t is short where differences are near to
normal. Means of subsets of the differences (J. Hartigan, JASA 64, 1969: as likely as not on either side of the true
one, each on its own, where both designs are as good) are where most pairs differ by little and a few by much: then a
sign that is always the same proves more than a mean does.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy import stats

from sims.lab.batch import Progress, play_all
from sims.lab.cost import load_prices
from sims.lab.design import Design, load_design
from sims.lab.measures import BY_NAME, MEASURES, OF_TRACKS, Measure, shown
from sims.lab.sweep import DesignRun

ERROR = 0.05
LOOKS = 5
"""A comparison is looked at after each fifth of its pairs."""
SAME_FROM = 2
"""Not before the second look does a narrow interval count as no difference."""
ALIKE = 1e-9
"""Differences of shares that are closer to each other are the same."""
SUBSETS = 5000
"""So many subsets of the pairs are drawn, or all where there are no more."""
OUT = Path("data/runs/compare")
Verdict = Literal["higher", "lower", "no difference that matters", "open"]


class CompareError(Exception):
    """A comparison that cannot be made; one line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure: means of both, B - A with its interval, and what can be said."""

    measure: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    verdict: Verdict

    @property
    def clear(self) -> bool:
        """Whether the answer is there."""
        return self.verdict != "open"

    @property
    def differs(self) -> bool:
        """Whether a difference was found."""
        return self.verdict in ("higher", "lower")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it."""

    a: str
    b: str
    pairs: int
    most_pairs: int
    failed: int
    currency: str
    findings: tuple[Finding, ...]

    @property
    def by_name(self) -> Mapping[str, Finding]:
        """Findings by measure."""
        return {finding.measure: finding for finding in self.findings}


def spent(share: float) -> float:
    """How much of the error may be spent after that share of the pairs."""
    return ERROR * share**2


def look_points(pairs: int) -> list[int]:
    """After how many pairs there is a look."""
    return sorted({max(2, math.ceil(pairs * look / LOOKS)) for look in range(1, LOOKS + 1)})


def judge(differences: Sequence[float], measure: Measure, look: int, most_pairs: int) -> tuple[float, float, Verdict]:
    """The interval of a mean difference at a look (from 1), and what it says. Differences that are all the same have no
    spread to go by: then so many of one sign must be too many for chance (sign test)."""
    points = look_points(most_pairs)
    share, before = points[look - 1] / points[-1], (points[look - 2] / points[-1] if look > 1 else 0.0)
    deciding = sum(one.decides for one in MEASURES)
    error = (spent(share) - spent(before)) / deciding
    values = np.asarray(differences, float)
    mean = float(values.mean())
    if np.ptp(values) >= ALIKE:
        ways = _by_student(values, error / 2), _by_subsets(values, error / 2)
        low, high = max(one[0] for one in ways), min(one[1] for one in ways)
    else:
        chance = measure.decides and abs(mean) > ALIKE and 2.0 ** (1 - len(values)) > error
        low, high = (mean - 1.0, mean + 1.0) if chance else (mean, mean)  # shares differ by no more
    if low > 0 or high < 0:
        return low, high, "higher" if mean > 0 else "lower"
    within = max(abs(low), abs(high)) <= measure.matters and look >= min(SAME_FROM, len(points))
    return low, high, "no difference that matters" if within else "open"


def _by_student(values: NDArray[np.float64], error: float) -> tuple[float, float]:
    """The interval of a mean whose values are near enough to normal."""
    reach = stats.t.ppf(1 - error / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


def _by_subsets(values: NDArray[np.float64], error: float) -> tuple[float, float]:
    """The interval of the middle of symmetric values; without ends where they are too few for so small an error."""
    means = np.sort(_subsets(len(values)) @ values)
    beyond = math.floor(error / 2 * (len(means) + 1))
    return (float(means[beyond - 1]), float(means[-beyond])) if beyond else (-math.inf, math.inf)


@cache
def _subsets(count: int) -> NDArray[np.float64]:
    """Subsets of so many values, (s, n): the weights with which each takes their mean."""
    if 2**count <= SUBSETS:
        chosen = np.arange(1, 2**count)[:, None] >> np.arange(count) & 1
    else:
        chosen = np.random.default_rng(count).integers(0, 2, (SUBSETS, count))
        chosen = chosen[chosen.any(axis=1)]
    return np.asarray(chosen / chosen.sum(axis=1, keepdims=True))


def findings(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]], look: int, most: int) -> list[Finding]:
    """What pairs of rows say at a look; a pair in which a measure is missing does not count for it."""
    found = []
    for measure in MEASURES:
        pairs = [
            (float(x[measure.name]), float(y[measure.name]))
            for x, y in zip(a, b, strict=True)
            if x[measure.name] is not None and y[measure.name] is not None
        ]
        if len(pairs) < 2:
            continue
        ones, others = np.array(pairs).T
        differences = others - ones
        low, high, verdict = judge(list(differences), measure, look, most)
        means = float(ones.mean()), float(others.mean()), float(differences.mean())
        found.append(Finding(measure.name, *means, low, high, verdict))
    return found


def is_clear(found: Sequence[Finding]) -> bool:
    """Whether every measure that decides has its answer, or one design is better and nowhere worse by what matters."""
    decisive = [finding for finding in found if BY_NAME[finding.measure].decides]
    wins = any(
        any(one.differs and _good(one) == (side > 0) for one in decisive)
        and all(_at_worst(one, side) >= -BY_NAME[one.measure].matters for one in decisive)
        for side in (1, -1)
    )
    return wins or all(finding.clear for finding in decisive)


def _at_worst(finding: Finding, side: int) -> float:
    """How good the measure may be for a side (1: B, -1: A) at the worse end of its interval; negative is bad."""
    sign = side * BY_NAME[finding.measure].better
    return min(sign * finding.low, sign * finding.high)


def compare(
    a: Path, b: Path, first_seed: int, pairs: int, workers: int, scheduler: str | None = None, resume: bool = False,
    out: Path | None = None, scenario: Path | None = None, settings: Path | None = None, prices: Path | None = None,
    watch: Callable[[Progress], None] = lambda _: None,
) -> Comparison:  # fmt: skip
    """Compare two documents; stops as soon as every measure that decides has its answer.

    Raises:
        CompareError, DesignError, PriceError, BatchError, and what the documents raise; one line.
    """
    one, other = (load_design(path, settings=settings, scenario=scenario) for path in (a, b))
    for design in (one, other):
        design.check()
    return compare_designs(one, other, first_seed, pairs, workers, scheduler, resume,
                           out or OUT / f"{a.stem}-{b.stem}", prices, watch)  # fmt: skip


def compare_designs(
    one: Design, other: Design, first_seed: int, pairs: int, workers: int, scheduler: str | None, resume: bool,
    folder: Path, prices: Path | None = None, watch: Callable[[Progress], None] = lambda _: None,
) -> Comparison:  # fmt: skip
    """Compare two designs that have been checked."""
    listed, failed = load_prices(prices), 0
    rows: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
    found: list[Finding] = []
    played = 0
    for look, until in enumerate(look_points(pairs), start=1):
        seeds = range(first_seed + played, first_seed + until)
        jobs = [
            DesignRun(f"{side}-{seed}", design, seed, listed, yaml.safe_dump({"design": design.name, "seed": seed}))
            for seed in seeds
            for side, design in (("a", one), ("b", other))
        ]
        results = play_all(jobs, folder, workers, resume, watch, scheduler)
        for first, second in zip(results[::2], results[1::2], strict=True):
            if "failed" in first or "failed" in second:
                failed += 1
                continue
            rows["a"].append(first["row"])
            rows["b"].append(second["row"])
        played = until
        if len(rows["a"]) < 2:
            raise CompareError(f"{failed} of {played} pairs failed, the first one so: {_reason(results)}")
        found = findings(rows["a"], rows["b"], look, pairs)
        if is_clear(found):
            break
    names = (one.name, other.name) if one.name != other.name else (f"{one.name} (A)", f"{other.name} (B)")
    return Comparison(*names, played, pairs, failed, listed.currency, tuple(found))


def _reason(results: Sequence[Mapping[str, Any]]) -> str:
    return next((str(result["failed"]) for result in results if "failed" in result), "no reason")


def in_words(comparison: Comparison) -> list[str]:
    """The verdict, sentence by sentence."""
    decisive = [finding for finding in comparison.findings if BY_NAME[finding.measure].decides]
    better = [f for f in decisive if f.differs and _good(f)]
    worse = [f for f in decisive if f.differs and not _good(f)]
    told = []
    if better or worse:
        parts = [f"better in {', '.join(map(_told, better))}"] if better else []
        parts += [f"worse in {', '.join(map(_told, worse))}"] if worse else []
        told.append(f"B ({comparison.b}) is {' and '.join(parts)}.")
        if all(finding.measure in OF_TRACKS for finding in (*better, *worse)):
            told.append("No difference was found in receipts, money or reviews.")
    else:
        told.append("No difference was found in anything that decides.")
    told.append(_money(comparison))
    same = [BY_NAME[f.measure].title for f in decisive if f.verdict == "no difference that matters"]
    unclear = [f for f in decisive if f.verdict == "open"]
    if same:
        told.append(f"No difference that matters: {', '.join(same)}.")
    if unclear:
        told.append(f"Not clear after {comparison.pairs} pairs: {', '.join(map(_told, unclear))}.")
    early = f", of {comparison.most_pairs} allowed" if comparison.pairs < comparison.most_pairs else ""
    failed = f"; {comparison.failed} of them failed and do not count" if comparison.failed else ""
    told.append(
        f"{comparison.pairs} pairs of runs{early}{failed}; the intervals of all that decides hold together with 95 %."
    )
    return [sentence for sentence in told if sentence]


def _good(finding: Finding) -> bool:
    return finding.difference * BY_NAME[finding.measure].better > 0


def _told(finding: Finding) -> str:
    measure = BY_NAME[finding.measure]
    return f"{measure.title} ({finding.difference:+.3f}, {finding.low:+.3f} to {finding.high:+.3f})"


def _money(comparison: Comparison) -> str:
    """ "B costs 18 % less hardware and leaks 0.2 % more.\""""
    hardware, leak = comparison.by_name["hardware_minor"], comparison.by_name["leak"]
    parts = []
    if hardware.difference and hardware.a:
        less = "less" if hardware.difference < 0 else "more"
        amount = shown("hardware_minor", abs(hardware.difference), comparison.currency)
        parts.append(f"costs {abs(hardware.difference) / hardware.a:.1%} {less} hardware ({amount})")
    else:
        parts.append("costs the same hardware")
    sure = "" if leak.differs else ", which may be chance"
    if abs(leak.difference) < 0.0005:
        parts.append("leaks the same")
    else:
        parts.append(f"leaks {abs(leak.difference):.1%} of sales {'less' if leak.difference < 0 else 'more'}{sure}")
    return f"B {' and '.join(parts)}."


def document(comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain data."""
    return {**asdict(comparison), "words": in_words(comparison)}
