"""``smartstore sim learn``: what evidence is worth, learned from simulated runs.

In: stories of the gauntlet and of a crowded store, some to learn from and some held out. Out: a settings file with the
parameters that make the truth most likely and the shares that were counted (``configs/learned.yaml``), their likelihood
on what was held out, and a reliability diagram beside it. Every parameter starts from what was set by hand and stays
near it unless the stories speak against it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from sims.lab import learn_shares
from sims.lab.learn_record import Judged, judge, log_likelihood
from sims.lab.learn_stories import Progress, Told, Watch, of_all, stories
from sims.lab.reliability import Bin, calibration_error, draw_reliability, reliability
from smartstore.pipeline import PipelineOptions

FIRST_STEP, LEAST_STEP, ROUNDS = 0.5, 0.06, 4
WANDER = 1.5
"""Standard deviation, in transformed units, by which a parameter may well differ from what was set by hand."""


class LearnError(Exception):
    """Nothing can be learned; the text is one line for the user."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of the options. ``share`` moves on the scale of log-odds, a ``length`` on that of logarithms, and
    ``nats`` as they are."""

    section: str
    name: str
    scale: str

    def get(self, options: PipelineOptions) -> float:
        """Its value on its own scale."""
        value = float(getattr(getattr(options, self.section), self.name))
        if self.scale == "share":
            return math.log(value / (1 - value))
        return math.log(value) if self.scale == "length" else value

    def set(self, options: PipelineOptions, at: float) -> PipelineOptions:
        """The options with another value, given on its own scale."""
        value = 1 / (1 + math.exp(-at)) if self.scale == "share" else math.exp(at) if self.scale == "length" else at
        part = replace(getattr(options, self.section), **{self.name: float(f"{value:.4g}")})
        return replace(options, **{self.section: part})


PARAMETERS = (
    Parameter("joint", "temperature", "length"),
    Parameter("joint", "both_hands_nats", "nats"),
    *(Parameter("evidence", name, "length") for name in
      ("hand_sigma_m", "hands_per_m3", "idle_m", "idle_sigma_m", "idle_height_m", "idle_height_sigma_m", "reach_m",
       "body_sigma_m", "lean_share", "lean_top_m", "lean_sigma_m", "lean_spread", "still_sigma_m", "stroll_m",
       "count_sigma", "press_grams")),
    *(Parameter("evidence", name, "share") for name in
      ("hand_hit", "idle_share", "lean_hit", "still_share", "count_outlier", "score_floor")),
    Parameter("evidence", "unseen_nats", "nats"),
    *(Parameter("hypotheses", name, "share") for name in ("nothing", "stranger", "more", "more_seen")),
    Parameter("hypotheses", "doubtful_put_nats", "nats"),
    Parameter("hypotheses", "unfelt_nats", "nats"),
    *(Parameter("candidates", name, "length") for name in ("tail_degrees", "floor_grams", "nudge_grams")),
    Parameter("candidates", "spill_share", "share"),
    *(Parameter("planogram", name, "share") for name in ("stray_take", "neighbour_put", "stray_put")),
    *(Parameter("attribution", name, "nats") for name in ("part_nats", "merge_nats")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """``seeds`` are learned from, ``held_out`` only judged by; ``only`` names families, all if empty."""

    seeds: Sequence[int]
    held_out: Sequence[int]
    out: Path
    only: Sequence[str] = ()


def learn(request: LearnRequest, start: PipelineOptions, watch: Watch = lambda _: None) -> dict[str, Any]:
    """Learns, judges and writes; returns what was written.

    Raises:
        LearnError, FamilyError, ScenarioError, BuildingError: bad input, one line.
    """
    told = _played(request, watch)
    known, _, unknown, _ = told
    options = _search(known, start, ROUNDS, watch)
    shares, worth = _counted(told, options, start)
    document = _values(options) | {"shares": shares}
    judged, bins = _worth(request, known, unknown, start, options)
    document["learned"] = judged | {"shares": _seeds(request) | {"counts": worth}}
    _write(request.out, document, bins)
    return document


def rejudge(
    request: LearnRequest, start: PipelineOptions, options: PipelineOptions, watch: Watch = lambda _: None
) -> dict[str, Any]:
    """Moves nothing: judges ``options`` as they are against ``start`` in these stories, such as after a change of the
    cameras; the counts of the shares stay.

    Raises:
        LearnError, FamilyError, ScenarioError, BuildingError: bad input, one line.
    """
    document: dict[str, Any] = yaml.safe_load(request.out.read_text()) if request.out.is_file() else {}
    shares = document.pop("learned", {}).get("shares", {})
    _check(request)
    known, unknown = (
        stories(of_all(seeds, request.only), "playing", watch) for seeds in (request.seeds, request.held_out)
    )
    judged, bins = _worth(request, known, unknown, start, options)
    document |= _values(options) | {"learned": judged | {"shares": shares}}
    _write(request.out, document, bins)
    return document


def _worth(
    request: LearnRequest, known: Sequence[Told], unknown: Sequence[Told], start: PipelineOptions,
    options: PipelineOptions,
) -> tuple[dict[str, Any], list[Bin]]:  # fmt: skip
    """What options are worth beside what was set by hand, and how far their probabilities can be trusted."""
    (known_before, known_after), (before, after) = (
        [judge_all(told, which) for which in (start, options)] for told in (known, unknown)
    )
    bins = _bins(after)
    return {
        **_seeds(request),
        "decisions": {"learned_from": len(known_after), "held_out": len(after)},
        "log_likelihood": {
            "learned_from": _pair(known_before, known_after),
            "held_out": _pair(before, after),
        },
        "calibration_error": {
            "before": _rounded(calibration_error(_bins(before))),
            "after": _rounded(calibration_error(bins)),
        },
        "right": {"before": _right(before), "after": _right(after)},
    }, bins


def recount(request: LearnRequest, options: PipelineOptions, watch: Watch = lambda _: None) -> dict[str, Any]:
    """Counts the shares alone, with all else as ``options`` have it; the rest of the file stays as it is.

    Raises:
        LearnError, FamilyError, ScenarioError, BuildingError: bad input, one line.
    """
    document: dict[str, Any] = yaml.safe_load(request.out.read_text()) if request.out.is_file() else {}
    told = document.pop("learned", {})
    document["shares"], counts = _counted(_played(request, watch), options, PipelineOptions())
    document["learned"] = told | {"shares": _seeds(request) | {"counts": counts}}
    _write(request.out, document)
    return document


def _seeds(request: LearnRequest) -> dict[str, Any]:
    return {"seeds": list(request.seeds), "held_out": list(request.held_out)}


def _played(request: LearnRequest, watch: Watch) -> list[list[Told]]:
    """Stories to learn from, more of them to count in, and both of what is held out.

    Raises:
        LearnError: a seed is both.
    """
    _check(request)
    return [
        stories(wanted(seeds, request.only), what, watch)
        for seeds, what in ((request.seeds, "playing"), (request.held_out, "playing what is held out"))
        for wanted in (of_all, learn_shares.of_passing)
    ]


def _check(request: LearnRequest) -> None:
    both = set(request.seeds) & set(request.held_out)
    if both:
        raise LearnError(f"seed {min(both)} is learned from and held out; choose others")


def _counted(
    told: Sequence[Sequence[Told]], options: PipelineOptions, start: PipelineOptions
) -> tuple[dict[str, float], dict[str, Any]]:
    """The shares, and their counts with what they are worth beside what they were."""
    known, more, unknown, more_unknown = told
    signs, others = (learn_shares.all_signs(which, options) for which in ([*known, *more], [*unknown, *more_unknown]))
    shares = asdict(learn_shares.laplace(learn_shares.counted(signs)))
    return shares, learn_shares.learned_shares(signs, others, start.shares)


def judge_all(stories: Sequence[Told], options: PipelineOptions) -> list[Judged]:
    """All decisions of all stories."""
    return [one for story, site in stories for one in judge(story, site, options)]


def _search(stories: Sequence[Told], start: PipelineOptions, rounds: int, watch: Watch) -> PipelineOptions:
    """Moves one parameter after the other, each with a step of its own that grows with success."""
    steps = dict.fromkeys(PARAMETERS, FIRST_STEP)
    options, best = start, _cost(stories, start, start)
    for turn in range(rounds):
        for nth, parameter in enumerate(PARAMETERS):
            share = (turn + nth / len(PARAMETERS)) / rounds
            watch(Progress(f"learning: {best:.4f} nats a decision, {parameter.section}.{parameter.name}", share))
            at, moved = parameter.get(options), False
            for direction in (1, -1):
                tried = parameter.set(options, at + direction * steps[parameter])
                cost = _cost(stories, tried, start)
                if cost < best:
                    options, best, moved = tried, cost, True
                    steps[parameter] *= direction * 1.5
                    break
            if not moved:
                steps[parameter] *= 0.4
        if all(abs(step) < LEAST_STEP for step in steps.values()):
            break
    return options


def _cost(stories: Sequence[Told], options: PipelineOptions, start: PipelineOptions) -> float:
    """Mean surprise at the truth in nats, and what it costs to leave what was set by hand."""
    judged = judge_all(stories, options)
    if not judged:
        raise LearnError("nothing was decided in these stories; give more seeds")
    away = sum(((p.get(options) - p.get(start)) / WANDER) ** 2 for p in PARAMETERS)
    return -log_likelihood(judged) + 0.5 * away / len(judged)


def _values(options: PipelineOptions) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parameter in PARAMETERS:
        found.setdefault(parameter.section, {})[parameter.name] = _rounded(
            getattr(getattr(options, parameter.section), parameter.name)
        )
    return found


def _write(path: Path, document: Mapping[str, Any], bins: Sequence[Bin] = ()) -> None:
    """Writes the file, and the diagram beside it if there are ``bins``."""
    head = "# What evidence is worth, learned from simulated runs: written by `smartstore sim learn`.\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {name: section for name, section in document.items() if name != "learned"}
        told = {"learned": document.get("learned", {})}
        # A parameter a line, so that changes are seen; how they were come by in fewer.
        path.write_text(head + "".join(
            yaml.safe_dump(part, sort_keys=False, width=118, default_flow_style=flow)
            for part, flow in ((values, False), (told, None))
        ))  # fmt: skip
        if bins:
            draw_reliability(path.with_suffix(".png"), bins)
    except OSError as error:
        raise LearnError(f"{path}: cannot be written ({error.strerror}); give another file with --out") from error


def _bins(judged: Sequence[Judged]) -> list[Bin]:
    return reliability([(one.sure, one.chosen == one.truth) for one in judged])


def _pair(before: Sequence[Judged], after: Sequence[Judged]) -> dict[str, float]:
    return {"before": _rounded(log_likelihood(list(before))), "after": _rounded(log_likelihood(list(after)))}


def _right(judged: Sequence[Judged]) -> float:
    return _rounded(sum(one.chosen == one.truth for one in judged) / max(1, len(judged)))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
