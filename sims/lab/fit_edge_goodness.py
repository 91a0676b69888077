"""How well an error model stands for the detector: what both make of the same scenes, side by side.

In: rows of what was found by the detector and by models in its place, on scenes that no fit has seen. Out: a document
of likelihoods, calibration errors, rates and Kolmogorov distances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sims.devices.edge_laws import COVER, GROUP_OF, GROUPS
from sims.devices.edge_model import EdgeModel
from sims.lab.fit_edge_facings import FaceStory, story
from sims.lab.fit_edge_maths import kolmogorov
from sims.lab.fit_edge_samples import Samples, Staged, overlap, samples

Array = NDArray[np.float64]

SHOWN_BINS = np.array([0.0, 0.06, 0.25, 0.45, 0.65, 0.8, 0.95, 1.01])
SIZE_BINS_PX = np.array([0.0, 60.0, 90.0, 130.0, 200.0, 400.0, 5000.0])
WRISTS = (9, 10)
SAID, FAR, SOON_S = 0.3, 0.1, 0.5
"""A wrist with this score is taken to be there; one so far off, as a share of the height, misleads; the next time is
so soon."""
LAGS_S = np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3])


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one detector, real or not, made of some scenes."""

    rows: Samples
    faces: FaceStory


def see(staged: Sequence[Staged], model: EdgeModel | None = None) -> Seen:
    """What the real detector made of the recordings, or would a model in its place."""
    return Seen(samples(staged, model), story(staged, model))


def goodness(truly: Seen, fitted: Seen, former: Seen, models: tuple[EdgeModel, EdgeModel]) -> dict[str, Any]:
    """Everything in one document; ``former`` is the model that was set by hand."""
    values = [spreads(seen.rows) for seen in (truly, fitted, former)]
    numbers = [rates(seen) for seen in (truly, fitted, former)]
    likelihood = [found_likelihood(truly.rows, chances(truly.rows, model)) for model in models]
    blind = float(np.clip(truly.rows.found[_there(truly.rows)].mean(), 0.01, 0.99))
    return {
        "rows": int(_there(truly.rows).sum()),
        "found_log_likelihood": {
            "fitted": likelihood[0][0],
            "hand_set": likelihood[1][0],
            "constant": float(blind * np.log(blind) + (1 - blind) * np.log(1 - blind)),
        },
        "found_calibration_error": {"fitted": likelihood[0][1], "hand_set": likelihood[1][1]},
        "kolmogorov": {
            name: {key: kolmogorov(real, values[k][name]) for k, key in ((1, "fitted"), (2, "hand_set"))}
            for name, real in values[0].items()
        },
        "rates": {
            name: {"measured": numbers[0][name], "fitted": numbers[1][name], "hand_set": numbers[2][name]}
            for name in numbers[0]
        },
    }  # fmt: skip


def chances(rows: Samples, model: EdgeModel) -> Array:
    """The chance of every row to be found."""
    law = model.people.finding
    return np.asarray(np.minimum(law.most, expit(rows.features @ law.chance.vector)))


def found_likelihood(rows: Samples, chance: Array) -> tuple[float, float]:
    """Mean log-likelihood of who was found and who not, and the calibration error over ten bins of chance."""
    use = _there(rows)
    p, found = np.clip(chance[use], 0.005, 0.995), rows.found[use]
    likelihood = float(np.where(found, np.log(p), np.log(1 - p)).mean())
    bins = np.minimum((p * 10).astype(int), 9)
    gaps = [abs(p[bins == b].mean() - found[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return likelihood, float(sum(gaps))


def spreads(rows: Samples) -> dict[str, Array]:
    """Values whose distributions are compared."""
    use = _there(rows) & rows.found
    tall = rows.tall_px[use, None]
    error = np.linalg.norm(rows.joints[use][..., :2] - np.nan_to_num(rows.pixels[use]), axis=2) / tall
    there, visible = rows.in_picture[use], rows.visible[use]
    values: dict[str, Array] = {"score": rows.score[use]}
    values["box_iou"] = np.array(
        [overlap(b, s[None])[0] for b, s in zip(rows.boxes[use], rows.seen_box[use], strict=True)]
    )
    for state, mask in (("seen", there & visible), ("covered", there & ~visible)):
        for names in (("wrists",), ("hips", "shoulders"), ("ankles", "knees"), ("head",)):
            group = mask & np.isin(GROUP_OF, [GROUPS.index(name) for name in names])
            values[f"{state}_{'_'.join(names)}_error"] = error[group]
            values[f"{state}_{'_'.join(names)}_score"] = rows.joints[use][..., 2][group]
    return values


def rates(seen: Seen) -> dict[str, float]:
    """Rates and other single numbers that are compared."""
    rows, faces = seen.rows, seen.faces
    use, found = _there(rows), _there(rows) & rows.found
    crowded = use & (rows.features[:, 4] > COVER)
    plain = use & (rows.features[:, 2] > 0.8) & ~crowded
    answers = faces.answers
    said = [answer for answer in answers if answer.delay_s < np.inf]
    named = [answer.named for answer in said if answer.named is not None]
    far, far_again = _far_off(rows)
    return {
        "found": _mean(rows.found[use]),
        "found_in_plain_view": _mean(rows.found[plain]),
        "found_in_crowds": _mean(rows.found[crowded]),
        "miss_lasts_frames": miss_runs(rows),
        "second_boxes_per_person": sum(extra.row >= 0 for extra in rows.surplus) / max(1, int(found.sum())),
        "boxes_around_nobody_per_min": sum(extra.row < 0 for extra in rows.surplus) / max(rows.minutes, 1e-9),
        "wrists_far_off": _mean(far),
        "wrists_far_off_stay_so": _mean(far_again),
        "alike_same_person": alike(rows, True),
        "alike_others": alike(rows, False),
        "changes_seen": float(len(answers)),
        "changes_missed": _mean([answer.delay_s > 3.0 for answer in answers]),
        "changes_miscounted": _mean([answer.wrong_by != 0 for answer in said]),
        "changes_misnamed": _mean([not name for name in named]),
        "changes_invented_per_min": len(faces.invented) / max(faces.minutes, 1e-9),
        "hidden_after_cover": _mean([not clear for clear, _ in faces.clear_chances]),
    }


def miss_runs(rows: Samples) -> float:
    """Mean number of frames in a row in which somebody who shows is not found."""
    use = _there(rows) & (rows.features[:, 2] > 0.25)
    order = np.lexsort((rows.t_s, rows.track))
    order = order[use[order]]
    missed, tracks = ~rows.found[order], rows.track[order]
    begins = missed & np.concatenate([[True], ~missed[:-1] | (tracks[1:] != tracks[:-1])])
    return float(missed.sum() / max(1, begins.sum()))


def _far_off(rows: Samples) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of the wrists that are said to be somewhere, which lie far off; of those that do, whether they do the next time,
    too, if that is soon."""
    error = np.linalg.norm(rows.joints[:, WRISTS, :2] - np.nan_to_num(rows.pixels[:, WRISTS]), axis=2)
    said = rows.found[:, None] & rows.in_picture[:, WRISTS] & (rows.joints[:, WRISTS, 2] > SAID)
    far = error > FAR * rows.tall_px[:, None]
    a, b = rows.pairs(0.0, SOON_S)
    return far[said], far[b][said[a] & said[b] & far[a]]


def alike(rows: Samples, same: bool) -> float:
    """Mean product of the looks of the same person in two cameras or moments, or of two people."""
    good = np.nonzero(rows.found & (np.linalg.norm(rows.looks, axis=1) > 0.5))[0]
    if len(good) < 10:
        return 0.0
    a, b = np.random.default_rng(11).choice(good, (2, 20_000))
    use = (rows.person[a] == rows.person[b]) == same
    use &= (rows.camera[a] // 100 == rows.camera[b] // 100) & (a != b)
    return float(np.einsum("ij,ij->i", rows.looks[a][use], rows.looks[b][use]).mean())


def by_bins(rows: Samples, values: Array, edges: Array) -> tuple[Array, Array, Array]:
    """Middles, shares found and counts of the rows in bins of ``values``."""
    use = _there(rows)
    which = np.digitize(values[use], edges) - 1
    counts = np.array([(which == b).sum() for b in range(len(edges) - 1)])
    share = np.array(
        [rows.found[use][which == b].mean() if (which == b).any() else np.nan for b in range(len(edges) - 1)]
    )
    middle = np.array([values[use][which == b].mean() if (which == b).any() else np.nan for b in range(len(edges) - 1)])
    return middle, share, counts


def error_memory(rows: Samples) -> Array:
    """Correlation of the errors of clear joints of the same person and camera, by the lags of ``LAGS_S``."""
    out = np.full(len(LAGS_S) - 1, np.nan)
    error = (rows.joints[..., :2] - np.nan_to_num(rows.pixels)) / rows.tall_px[:, None, None]
    error = np.sign(error) * np.minimum(np.abs(error), 0.04)
    clear = rows.visible & rows.found[:, None]
    for i, (low, high) in enumerate(pairwise(LAGS_S)):
        a, b = rows.pairs(low, high)
        both = clear[a] & clear[b]
        one, two = error[a][both].ravel(), error[b][both].ravel()
        if len(one) > 100:
            out[i] = np.corrcoef(one, two)[0, 1]
    return out


def _there(rows: Samples) -> NDArray[np.bool_]:
    return np.asarray(rows.in_picture.any(axis=1))


def _mean(values: Sequence[bool] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def table(document: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The document as rows: what, measured, fitted, set by hand."""
    lines = [
        (
            "log-likelihood per person and frame",
            "-",
            *(_cell(document["found_log_likelihood"][k]) for k in ("fitted", "hand_set")),
        ),
        (
            "calibration error of being found",
            "-",
            *(_cell(document["found_calibration_error"][k]) for k in ("fitted", "hand_set")),
        ),
    ]
    lines += [
        (name.replace("_", " "), *(_cell(row[k]) for k in ("measured", "fitted", "hand_set")))
        for name, row in document["rates"].items()
    ]
    lines += [
        (f"Kolmogorov distance, {name.replace('_', ' ')}", "-", _cell(row["fitted"]), _cell(row["hand_set"]))
        for name, row in document["kolmogorov"].items()
    ]
    return lines  # type: ignore[return-value]


def _cell(value: float) -> str:
    return f"{value:.3f}"
