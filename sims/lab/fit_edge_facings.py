"""The error model of shelf faces, fitted to what the reader reported beside what really lay there.

In: staged recordings. Out: the ``facings`` part of an error model, as plain values.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from sims.building import Building
from sims.chance import stream
from sims.devices.edge_facings import FaceSights, FacingReader
from sims.devices.edge_model import EdgeModel
from sims.lab.fit_edge_maths import logistic
from sims.lab.fit_edge_record import Read, Shot
from sims.lab.fit_edge_samples import Staged
from sims.scene import Scene

Columns = tuple[tuple[str, ...], ...]

HIDDEN_SHARE = 0.25
SOON_S = 3.0
"""A change that is noticed later than this after the view became clear was overlooked at first."""
HELD = 10.0
"""How firmly a light is held for harmless: as by so many changes."""
GIVE_UP_S = 40.0
WARM_S = 2.0
"""A reader may look around for so long before anything counts."""
STEP = 0.5
"""Items by which a count must move to be a change."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A change that was there to be seen, and what became of it."""

    small: float
    delay_s: float
    """From when the camera's view was clear until it was reported; infinite: never."""
    wrong_by: int
    named: bool | None
    """Whether the right name was given; None where none was."""
    sure: float


@dataclass(slots=True)
class FaceStory:
    """Everything measured on the facings of some recordings."""

    answers: list[Answer] = field(default_factory=list)
    invented: list[float] = field(default_factory=list)
    """Seconds until each invented change was taken back; infinite: never."""
    first_errors: list[float] = field(default_factory=list)
    minutes: float = 0.0
    """Camera minutes."""
    clear_chances: list[tuple[bool, float]] = field(default_factory=list)
    """For each view of a facing that was hidden and is not covered: whether it is clear now, seconds passed."""
    start_chances: list[tuple[bool, float]] = field(default_factory=list)
    """The same for facings that were clear and have somebody near."""


@dataclass(slots=True)
class _Facing:
    """What happened to one facing, view by view."""

    small: float
    sku: str
    t_s: list[float] = field(default_factory=list)
    stock: list[Columns] = field(default_factory=list)
    items: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    best: list[str] = field(default_factory=list)
    hidden: list[bool] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    near: list[bool] = field(default_factory=list)


def story(staged: Sequence[Staged], model: EdgeModel | None = None) -> FaceStory:
    """What the reader did; with a ``model``, what that would have reported in its place."""
    told = FaceStory()
    for stage in staged:
        for camera in stage.building.cameras.values():
            if not camera.watches:
                continue
            facings = _views(stage, camera.id, model)
            for facing in facings.values():
                _tell(facing, told)
            times = [t for facing in facings.values() for t in (facing.t_s[0], facing.t_s[-1])]
            told.minutes += (max(times) - min(times)) / 60 if times else 0.0
    return told


def fit_facings(told: FaceStory) -> dict[str, Any]:
    """The ``facings`` part of the model."""
    answers = told.answers
    missed = np.array([not answer.delay_s <= SOON_S for answer in answers], bool)
    small = np.array([answer.small for answer in answers])
    late = [answer.delay_s for answer in answers if SOON_S < answer.delay_s < np.inf]
    never = sum(answer.delay_s == np.inf for answer in answers)
    named = [(not answer.named, answer.small) for answer in answers if answer.named is not None]
    first = [answer.sure for answer in answers if answer.delay_s <= SOON_S and answer.sure > 0.3]
    second = [answer.sure for answer in answers if SOON_S < answer.delay_s < np.inf and answer.sure > 0.3]
    back = [s for s in told.invented if np.isfinite(s)]
    noticed = [answer for answer in answers if answer.delay_s < np.inf]
    rate, slope = _by_size(missed, small)
    wrong, wrong_slope = _by_size(np.array([w for w, _ in named], bool), np.array([x for _, x in named]))
    waited_s = sum(late) + GIVE_UP_S * never
    return {
        "hidden_share": HIDDEN_SHARE,
        "clears_s": _waits(told.clear_chances),
        "near_hides_per_s": 1.0 / _waits(told.start_chances) if told.start_chances else 0.0,
        "missed": rate,
        "missed_small": slope,
        "second_look_s": float(np.clip(waited_s / max(1, len(late)), 1.0, 60.0)) if late or never else 12.0,
        "invented_per_min": len(told.invented) / max(told.minutes, 1e-9),
        "invented_lasts_s": float(np.clip(np.mean(back), 0.3, 60.0)) if back else 5.0,
        "miscounted": float(np.mean([answer.wrong_by != 0 for answer in noticed])) if noticed else 0.0,
        "fill_sigma_items": float(np.std(told.first_errors)) if told.first_errors else 0.0,
        "misnamed": wrong,
        "misnamed_small": wrong_slope,
        "sure_first": _range(first, (0.7, 0.99)),
        "sure_late": _range(second, (0.4, 0.75)),
    }


def facing_shift(plain: FaceStory, other: FaceStory) -> float:
    """What must be added to the log-odds that a change goes wrong, held towards 0."""

    def wrong(told: FaceStory) -> tuple[int, int]:
        bad = [a.delay_s > SOON_S or a.wrong_by != 0 or a.named is False for a in told.answers]
        return sum(bad), len(bad)

    (bad, count), (bad_here, count_here) = wrong(plain), wrong(other)
    usual = (bad + 0.5) / (count + 1.0)
    here = (bad_here + HELD * usual) / (count_here + HELD)
    return float(np.clip(logit(here) - logit(usual), -3.0, 5.0))


def _by_size(hits: NDArray[np.bool_], small: NDArray[np.float64]) -> tuple[float, float]:
    """Rate at the usual size, kept off 0 by one half case, and its slope with smallness."""
    if len(hits) < 5:
        return 0.02, 0.0
    slopes = logistic(np.column_stack([np.ones(len(hits)), small]), hits, 2.0)
    share = (hits.sum() + 0.5) / (len(hits) + 1.0)
    return float(share), float(np.clip(slopes[1], -1.0, 3.0)) if hits.sum() >= 5 else 0.0


def _waits(chances: Sequence[tuple[bool, float]]) -> float:
    """Mean waiting time in seconds of something that happened or not within each of some times."""
    if not chances:
        return 0.5
    happened, time_s = sum(h for h, _ in chances), sum(t for _, t in chances)
    # Within a view's period it may have happened anywhere: half of it, for each time that it did.
    return float(np.clip((time_s - 0.5 * sum(t for h, t in chances if h)) / max(1, happened), 0.05, 30.0))


def _range(values: Sequence[float], otherwise: tuple[float, float]) -> list[float]:
    return [float(v) for v in (np.quantile(values, (0.1, 0.9)) if len(values) >= 5 else otherwise)]


def _views(stage: Staged, camera: str, model: EdgeModel | None) -> dict[str, _Facing]:
    """All facings of a camera, view by view, as reported."""
    building, recording = stage.building, stage.recording
    sights = FaceSights(building, building.cameras[camera])
    places = {f.id: i for i, f in enumerate(sights.facings)}
    reader = None
    if model is not None:
        random = stream(stage.take.seed, f"facings/{camera}")
        reader = FacingReader(building, building.cameras[camera], model.facings, random)
    views = {f.id: _Facing(sights.small[places[f.id]], f.sku) for f in sights.facings}
    stock: Mapping[str, Columns] = {}
    for shot, crowd in zip(recording.shots, stage.crowds, strict=True):
        if shot.camera != camera:
            continue
        stock = {**stock, **shot.stock}
        reports: Sequence[Read] = shot.facings
        if reader is not None:
            reports = _as_read(reader, shot, stock, crowd)
        covered, near = sights.covered(crowd) > HIDDEN_SHARE, sights.near(crowd)
        for report in reports:
            view, i = views[report.facing], places[report.facing]
            view.t_s.append((shot.t_ns - recording.shots[0].t_ns) / 1e9)
            view.stock.append(stock[report.facing])
            view.items.append(report.fill * _capacity(building, report.facing))
            view.change.append(report.change)
            view.best.append(report.best)
            view.hidden.append(report.hidden)
            view.covered.append(bool(covered[i]))
            view.near.append(bool(near[i]))
    return {name: view for name, view in views.items() if len(view.t_s) > 2}


def _as_read(reader: FacingReader, shot: Shot, stock: Mapping[str, Columns], crowd: Any) -> list[Read]:
    message = reader.read(Scene(shot.t_ns, tuple(shot.people), stock), crowd, shot.t_ns)
    return [
        Read(f.facing, f.fill, f.change, max(f.scores, key=lambda s: f.scores[s], default=""), f.hidden)
        for f in message.facings
    ]


def _capacity(building: Building, facing: str) -> int:
    return building.facings[facing].columns * building.facings[facing].rows


def _tell(view: _Facing, told: FaceStory) -> None:
    """Goes through one facing's views: what was there to be seen, what was said."""
    start = next((k for k, t in enumerate(view.t_s) if t - view.t_s[0] >= WARM_S and not view.hidden[k]), None)
    if start is None:
        return
    told.first_errors.append(view.items[start] - _count(view.stock[start]))
    known, level = view.stock[start], view.items[start]
    waiting_s: float | None = None
    invented: tuple[float, int] | None = None
    for k in range(start + 1, len(view.t_s)):
        gap_s = view.t_s[k] - view.t_s[k - 1]
        if not view.covered[k] and view.hidden[k - 1]:
            told.clear_chances.append((not view.hidden[k], gap_s))
        elif not view.covered[k] and view.near[k]:
            told.start_chances.append((view.hidden[k], gap_s))
        if view.hidden[k]:
            continue
        step = round(view.items[k] - level)
        true = _count(view.stock[k]) - _count(known)
        if view.stock[k] != known and waiting_s is None:
            waiting_s = view.t_s[k]
        if waiting_s is not None and view.stock[k] == known:
            waiting_s = None  # put back before anybody could tell
        said = abs(step) >= 1 or view.change[k] > STEP
        if waiting_s is not None and (said or view.t_s[k] - waiting_s > GIVE_UP_S):
            told.answers.append(_answer(view, k, waiting_s, step, true, known, said))
            known, waiting_s = view.stock[k], None
        elif said and step:
            if invented is not None and step == -invented[1]:
                told.invented[-1] = view.t_s[k] - invented[0]
                invented = None
            else:
                told.invented.append(np.inf)
                invented = (view.t_s[k], step)
        level = view.items[k]


def _answer(view: _Facing, k: int, since_s: float, step: int, true: int, known: Columns, said: bool) -> Answer:
    before = Counter(sku for column in known for sku in column)
    after = Counter(sku for column in view.stock[k] for sku in column)
    changed = set((before - after) + (after - before))
    named = view.best[k] in changed if said and view.best[k] and changed else None
    delay_s = view.t_s[k] - since_s if said else np.inf
    return Answer(view.small, delay_s, step - true if said else 0, named, view.change[k])


def _count(columns: Columns) -> int:
    return sum(map(len, columns))
