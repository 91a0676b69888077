"""The gauntlet's table: figures of cases, added up per family.

In: results of cases. Out: one row per family and one for all; F1 is the mean over cases, all else is pooled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sims.lab.reliability import calibration_error, reliability

COLUMNS = (
    "family", "cases", "item F1", "F1 unsold", "exact", "exact unsold", "over", "under", "review",
    "runner-up", "calibration", "floor IDF1", "baseline F1", "worst",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One family. ``f1`` and ``exact``: every case that was raised is settled right; ``unsold``: what is in doubt is
    left off the receipt. Money and review as shares; ``runner_up`` is the most that any other explanation can
    have had of a booking that was wrong; ``calibration`` is the expected calibration error of what was booked;
    ``worst`` is the seed with the lowest F1 unsold.
    """

    family: str
    cases: int
    f1: float
    f1_unsold: float
    exact: float
    exact_unsold: float
    over: float
    under: float
    review: float
    runner_up: float | None
    calibration: float | None
    idf1: float
    baseline_f1: float | None
    worst: str


def rows(results: Sequence[dict[str, Any]]) -> list[Row]:
    """A row per family, in the order of the results, and a last one over all."""
    families = list(dict.fromkeys(result["family"] for result in results))
    found = [_row(name, [result for result in results if result["family"] == name]) for name in families]
    return [*found, _row("all", results)]


def _row(name: str, results: Sequence[dict[str, Any]]) -> Row:
    worst = min(results, key=lambda result: (result["f1_unsold"], result["f1"]))
    baseline = [result["baseline_f1"] for result in results if result["baseline_f1"] is not None]
    booked = [(sure, right) for result in results for sure, right in result.get("booked", ())]
    return Row(
        family=name,
        cases=len(results),
        f1=mean([result["f1"] for result in results]),
        f1_unsold=mean([result["f1_unsold"] for result in results]),
        exact=pooled(results, "exact", "visits"),
        exact_unsold=pooled(results, "exact_unsold", "visits"),
        over=pooled(results, "over_minor", "due_minor"),
        under=pooled(results, "under_minor", "due_minor"),
        review=pooled(results, "doubts", "changes"),
        runner_up=max((r["runner_up"] for r in results if "runner_up" in r), default=None),
        calibration=calibration_error(reliability(booked)) if booked else None,
        idf1=mean([result["idf1"] for result in results]),
        baseline_f1=mean(baseline) if baseline else None,
        worst=f"{worst['family'] if name == 'all' else worst['store']} {worst['seed']}: {worst['f1_unsold']:.2f}",
    )


def document(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Table and cases as JSON."""
    return {"families": [asdict(row) for row in rows(results)], "cases": list(results)}


def cells(results: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as texts, in the order of :data:`COLUMNS`."""
    return [
        tuple("-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
              for value in asdict(row).values())
        for row in rows(results)
    ]  # fmt: skip


def mean(values: Sequence[float]) -> float:
    """Over cases."""
    return sum(values) / len(values)


def pooled(results: Sequence[Mapping[str, Any]], part: str, whole: str) -> float:
    """One sum over another one; 0 where there is nothing."""
    total = sum(result[whole] for result in results)
    return sum(result[part] for result in results) / total if total else 0.0
