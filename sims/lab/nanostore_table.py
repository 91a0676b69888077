"""The figures of re-enacted scripts, case by case.

In: results of runs, the winner's scores, and what could not be played. Out: rows and a JSON document; F1 is the mean
over cases of the mean over seeds, review is pooled over all item changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sims.lab.batch import Result
from sims.lab.gauntlet_table import mean, pooled

Scores = Sequence[tuple[str, float]]
"""Published F1 values, each with its case."""

COLUMNS = ("case", "F1", "worst seed", "after review", "review", "exact", "baseline F1", "winner F1", "as written")


def rows(results: Sequence[Result], winner: Scores) -> list[dict[str, Any]]:
    """One row per case, and a last one over all. ``f1`` is of receipts as they are: what is in doubt is left off."""
    cases = list(dict.fromkeys(result["case"] for result in results))
    theirs = {case: [f1 for name, f1 in winner if name == case] for case in cases}
    published = {case: mean(scores) for case, scores in theirs.items() if scores}
    found = [_row(case, [r for r in results if r["case"] == case], published.get(case)) for case in cases]
    scored = [row["winner_f1"] for row in found if row["winner_f1"] is not None]
    total = _row("all", results, mean(scored) if scored else None)
    for key in ("f1", "f1_after_review", "baseline_f1"):
        total[key] = mean([row[key] for row in found])
    return [*found, total]


def _row(case: str, results: Sequence[Result], winner: float | None) -> dict[str, Any]:
    worst = min(results, key=lambda result: result["f1_unsold"])
    return {
        "case": case, "runs": len(results), "f1": mean([r["f1_unsold"] for r in results]),
        "f1_worst": worst["f1_unsold"], "seed_worst": worst["seed"],
        "f1_after_review": mean([r["f1"] for r in results]),
        "review_rate": pooled(results, "doubts", "changes"),
        "exact": pooled(results, "exact_unsold", "visits"),
        "baseline_f1": mean([r["baseline_f1"] for r in results]), "winner_f1": winner,
        "as_written": sum(r["as_written"] for r in results),
    }  # fmt: skip


def document(
    results: Sequence[Result], winner: Scores, problems: Sequence[str], notes: Sequence[str]
) -> dict[str, Any]:
    """Means, cases and runs as JSON, with what is not played and what is read with a grain of salt."""
    *cases, total = rows(results, winner)
    about = {key: total[key] for key in ("f1", "f1_after_review", "review_rate", "exact", "baseline_f1")}
    return {"mean_f1": about.pop("f1"), **about, "winner_mean_f1": mean([f1 for _, f1 in winner]) if winner else None,
            "cases": cases, "runs": list(results), "not_played": list(problems), "notes": list(notes)}  # fmt: skip


def cells(results: Sequence[Result], winner: Scores) -> list[tuple[str, ...]]:
    """The rows as texts, in the order of :data:`COLUMNS`."""
    return [_cells(row) for row in rows(results, winner)]


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    theirs = f"{row['winner_f1']:.3f}" if row["winner_f1"] is not None else "-"
    return (
        row["case"], f"{row['f1']:.3f}", f"{row['f1_worst']:.2f} ({row['seed_worst']})",
        f"{row['f1_after_review']:.3f}", f"{row['review_rate']:.3f}", f"{row['exact']:.3f}",
        f"{row['baseline_f1']:.3f}", theirs, f"{row['as_written']} of {row['runs']}",
    )  # fmt: skip
