"""What a facing reader is worth: its changes against the truth of the stories, in items.

In: episodes with their true deeds, and the changes that were reported during them. Out: a :class:`Case` per facing that
somebody had a hand in or that was said to have changed, and figures over any set of cases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.lab.facing_people import Deed, Episode
from sims.lab.facing_stories import ALIKE_GRAMS
from smartstore.domain.items import FacingChange

NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Report:
    """A change, and when it was said."""

    t_ns: int
    change: FacingChange


@dataclass(frozen=True, slots=True)
class Case:
    """One facing in one episode: what moved there in truth and by report, in items."""

    kind: str
    facing: str
    episode: int
    true_items: int
    said_items: int
    sku_right: bool | None
    """Whether the likeliest item of all is the right one; None where nothing was rightly reported."""
    alike_right: bool | None
    """The same among the items that weigh the same; None where there is no other."""
    latency_s: float | None
    """From the hand's leaving to the report."""
    sku: str = ""
    said_sku: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def hits(self) -> int:
        """Items rightly reported."""
        same = self.true_items * self.said_items > 0
        return min(abs(self.true_items), abs(self.said_items)) if same else 0

    @property
    def wrong(self) -> bool:
        return self.true_items != self.said_items or self.sku_right is False


def cases_of(
    episodes: Sequence[Episode], reports: Sequence[Report], grams: Mapping[str, float],
    labels: tuple[tuple[str, str], ...],
) -> list[Case]:  # fmt: skip
    """All cases of one story; a report belongs to the episode in which it was made."""
    out = []
    ends = [episode.start_ns for episode in episodes[1:]] + [2**63 - 1]
    for number, (episode, end_ns) in enumerate(zip(episodes, ends, strict=True)):
        said: dict[str, list[Report]] = {}
        for report in reports:
            after = number == 0 or report.t_ns >= episode.start_ns
            if after and report.t_ns < end_ns and not report.change.unclear:
                said.setdefault(report.change.facing, []).append(report)
        for facing in sorted({*said, *(deed.facing for deed in episode.deeds)}):
            deeds = [deed for deed in episode.deeds if deed.facing == facing]
            out.append(_case(number, facing, deeds, said.get(facing, []), episode.gone_ns, grams, labels))
    return out


def _case(
    episode: int, facing: str, deeds: Sequence[Deed], said: Sequence[Report], gone_ns: int,
    grams: Mapping[str, float], labels: tuple[tuple[str, str], ...],
) -> Case:  # fmt: skip
    true_items, said_items = sum(deed.items for deed in deeds), sum(report.change.items for report in said)
    kind = deeds[0].kind if deeds else NOTHING
    skus = {deed.sku for deed in deeds if deed.items}
    sku = next(iter(skus)) if len(skus) == 1 else ""
    right = alike = latency = None
    said_sku = ""
    if true_items * said_items > 0 and sku:
        scores = dict(said[0].change.scores)
        said_sku = max(scores, key=lambda name: scores[name]) if scores else ""
        right, alike = said_sku == sku, _among_alike(sku, scores, grams)
        latency = (said[0].t_ns - gone_ns) / 1e9
    return Case(kind, facing, episode, true_items, said_items, right, alike, latency, sku, said_sku, labels)


def _among_alike(sku: str, scores: Mapping[str, float], grams: Mapping[str, float]) -> bool | None:
    """Whether the item beats all others of its weight."""
    others = [name for name in grams if name != sku and abs(grams[name] - grams[sku]) <= ALIKE_GRAMS]
    if not others:
        return None
    return scores.get(sku, 0.0) > max(scores.get(name, 0.0) for name in others)


def figures(cases: Iterable[Case]) -> dict[str, Any]:
    """Precision, recall, naming and latency over cases."""
    cases = list(cases)
    hits = sum(case.hits for case in cases)
    said = sum(abs(case.said_items) for case in cases)
    true = sum(abs(case.true_items) for case in cases)
    named = [case.sku_right for case in cases if case.sku_right is not None]
    alike = [case.alike_right for case in cases if case.alike_right is not None]
    late = [case.latency_s for case in cases if case.latency_s is not None]
    return {
        "items_moved": true,
        "items_said": said,
        "precision": _share(hits, said),
        "recall": _share(hits, true),
        "named": len(named),
        "sku_right": _share(sum(named), len(named)),
        "alike": len(alike),
        "sku_right_among_equal_weights": _share(sum(alike), len(alike)),
        "latency_s_p50": float(np.median(late)) if late else None,
        "latency_s_p95": float(np.percentile(late, 95)) if late else None,
    }


def by(cases: Sequence[Case], label: str) -> dict[str, dict[str, Any]]:
    """Figures per value of a label, or per ``kind``."""
    values = [case.kind if label == "kind" else dict(case.labels).get(label, "") for case in cases]
    return {
        value: figures(c for c, v in zip(cases, values, strict=True) if v == value) for value in sorted(set(values))
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
