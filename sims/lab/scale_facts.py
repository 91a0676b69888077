"""Load cells in numbers: samples go in, what tells one store's load cells from another's comes out, plate by plate.

In: samples of a fixture (n, shelves, plates) at 60 Hz, NaN where a plate gives none or there is no plate; from the
NanoStore recording (AiFi NanoStore, AutoCheckout competition 2020, case BENCHMARK-1), or from simulated scales. Out:
:class:`Facts`.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sims.building import Building
from sims.deeds import Contact
from sims.devices.ground import Ground
from sims.devices.scale import Scale
from sims.flaws import LoadCells
from sims.scene import BodyState, Scene

Array = NDArray[np.float64]

RATE_HZ = 60.0
QUIET_S, WHOLE_S = 5.0, 17.0
"""At rest: nobody is near in the first seconds of the recording. Drift is measured over all of it."""
WALK_S = (5.0, 9.0)
"""Somebody walks in."""
NOISY_GRAMS = 1.0
"""A fixture with a larger median noise is a noisy one."""
TAKEN_GRAMS = 621.7
TAKEN_FROM = ("1", 4, 10)
"""Gondola, shelf and plate of the only take of the recording, counted from 0."""
PUSH_S, RING_S = 0.1, 0.33


class RecordingError(Exception):
    """A recording that cannot be read: one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One item taken, from a second before to a second after the lift."""

    times_s: Array
    plate: Array
    """Grams (n,) of the plate, 0 before."""
    neighbours: Array
    """Grams (n, plates) of the others of the shelf."""
    push_grams: float
    lift_s: float
    """From a tenth to nine tenths of the fall."""
    ring_grams: Array
    """Largest swing of each neighbour."""
    stays_grams: Array
    """What each neighbour keeps, either way."""
    far_grams: Array
    """Largest swing of each plate of the other shelves."""


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Per plate, of ordinary and of noisy fixtures; plates that always say the same are counted and left out."""

    noise: dict[str, Array]
    """Standard deviation at rest, grams, by ``ordinary`` and ``noisy``."""
    drift: dict[str, Array]
    """Median of the last second less that of the first, grams."""
    memory: Array
    """Lag-1 autocorrelation at rest."""
    shaking: Array
    """Standard deviation while somebody walks in, as a multiple of that at rest."""
    step_grams: float
    """Smallest difference between two readings; NaN where they never differ."""
    stuck: int
    silent: int
    """Plates that give nothing, and gaps in the rows of shelves with fewer plates than the fullest."""
    takes: tuple[Take, ...]


def facts(fixtures: Sequence[Array], walks: Sequence[Array], takes: Sequence[Take]) -> Facts:
    """The facts of fixtures (n, shelves, plates); ``walks`` are the same while somebody walks in."""
    noise: dict[str, list[Array]] = {"ordinary": [], "noisy": []}
    drift: dict[str, list[Array]] = {"ordinary": [], "noisy": []}
    memory, shaking, steps, stuck, silent = [], [], [], 0, 0
    for samples, walk in zip(fixtures, walks, strict=True):
        flat, moving = samples.reshape(len(samples), -1), walk.reshape(len(walk), -1)
        there = ~np.isnan(flat).any(axis=0)
        silent += int((~there).sum())
        alive = there & (np.ptp(np.nan_to_num(flat), axis=0) > 0)
        stuck += int(there.sum() - alive.sum())
        if not alive.any():
            continue
        flat, rest = flat[:, alive], flat[: round(QUIET_S * RATE_HZ), alive]
        sigma = rest.std(axis=0)
        kind = "noisy" if np.median(sigma) > NOISY_GRAMS else "ordinary"
        noise[kind].append(sigma)
        drift[kind].append(np.median(flat[-60:], axis=0) - np.median(flat[:60], axis=0))
        heard = np.ptp(rest, axis=0) > 0
        memory.append(_lag_one(rest[:, heard]))
        shaking.append(moving[:, alive][:, heard].std(axis=0) / sigma[heard])
        jumps = np.abs(np.diff(rest, axis=0))
        if (jumps > 0.02).any():
            steps.append(float(jumps[jumps > 0.02].min()))
    return Facts(
        {kind: _joined(parts) for kind, parts in noise.items()},
        {kind: _joined(parts) for kind, parts in drift.items()},
        _joined(memory), _joined(shaking), float(np.median(steps or [np.nan])), stuck, silent, tuple(takes),
    )  # fmt: skip


def read_recording(folder: Path) -> Facts:
    """The facts of the recorded store in ``folder``.

    Raises:
        RecordingError: there is no such recording, or it is damaged.
    """
    path = folder / "feeds/BENCHMARK-1/plate_data.json"
    try:
        batches = _batches(path)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror}); --nanostore is its root folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(f"{path}: is not the recording of a NanoStore; fetch it again") from error
    start, end = (round(s * RATE_HZ) for s in WALK_S)
    gondola, shelf, plate = TAKEN_FROM
    takes = (take(batches[gondola], shelf, plate),)
    return facts(list(batches.values()), [samples[start:end] for samples in batches.values()], takes)


def take(samples: Array, shelf: int, plate: int) -> Take:
    """The first fall by more than 60 g, on its way to more than 300, on a plate of a fixture (n, shelves, plates)."""
    grams = samples[:, shelf, plate] - np.median(samples[:60, shelf, plate])
    fallen = int(np.argmax(grams < -300))
    lift = fallen - int(np.argmax(grams[fallen::-1] > -60)) + 1
    first, last = lift - round(RATE_HZ), lift + round(RATE_HZ)
    part = samples[first:last] - np.median(samples[first : lift - 15], axis=0)
    at = lift - first
    ringing = slice(at - round(PUSH_S * RATE_HZ), at + round(RING_S * RATE_HZ))
    own = part[:, shelf, plate]
    others = np.delete(part[:, shelf], plate, axis=1)
    others = others[:, ~np.isnan(others).any(axis=0)]
    far = np.delete(part, shelf, axis=1).reshape(len(part), -1)
    far = far[:, ~np.isnan(far).any(axis=0)]
    level = np.median(own[-30:])
    falling = np.nonzero((own[at - 6 :] < 0.1 * level) & (own[at - 6 :] > 0.9 * level))[0]
    return Take(
        (np.arange(len(part)) - at) / RATE_HZ, own, others, float(own[at - 15 : at + 1].max()),
        (len(falling) + 1) / RATE_HZ, np.abs(others[ringing]).max(axis=0), np.abs(np.median(others[-40:], axis=0)),
        np.abs(far[ringing]).max(axis=0),
    )  # fmt: skip


def simulate(building: Building, seeds: Sequence[int], options: LoadCells | None = None) -> Facts:
    """The facts of simulated load cells of every fixture of a building, with a take and a walk per fixture."""
    options = options or LoadCells()
    rests: list[Array] = []
    walks: list[Array] = []
    takes: list[Take] = []
    for seed in seeds:
        for fixture in building.fixtures.values():
            if fixture.scale is None or not fixture.shelves:
                continue
            cells = [seed, len(rests)]
            random = np.random.default_rng([*cells, 1])
            rests.append(_played(building, fixture.id, cells, options, WHOLE_S, None, walking=False))
            walks.append(_played(building, fixture.id, cells, options, 4.0, None, walking=True))
            grip = float(random.uniform(26, 53)), float(random.uniform(0.06, 0.16)), float(random.uniform(0.07, 0.30))
            shelf, at = fixture.shelves[0], min(1, len(fixture.shelves[0].plates) - 1)
            contact = Contact(3.0, fixture.id, shelf.id, {shelf.plates[at].id: 1.0}, -TAKEN_GRAMS, *grip)
            takes.append(take(_played(building, fixture.id, cells, options, 5.0, contact, walking=False), 0, at))
    return facts(rests, walks, takes)


def _played(
    building: Building, fixture: str, cells: Sequence[int], options: LoadCells, seconds: float,
    contact: Contact | None, *, walking: bool,
) -> Array:  # fmt: skip
    """Samples (n, shelves, plates) of a fixture at rest, with a contact, or while somebody walks up to it; the same
    ``cells`` have the same temper."""
    random = np.random.default_rng(list(cells))
    standing = {plate.id: 5000.0 for plate in building.plates.values() if plate.fixture == fixture}
    ground = Ground(building, random.spawn(1)[0], options.footfalls if walking else 0.0)
    scale = Scale(building, fixture, standing, random, ground=ground, options=options)
    face = building.fixtures[fixture]
    rows: list[list[float | None]] = []
    for k in range(round(seconds * scale.rate_hz / scale.batch)):
        t_s = k * scale.batch / scale.rate_hz
        for i in range(scale.batch if walking else 0):
            ground.feel(_walker(face.point(face.width_m / 2, -3.0 + 0.6 * t_s, 0.0), t_s + i / 60), t_s + i / 60)
        if contact is not None and t_s <= contact.t_s < t_s + scale.batch / scale.rate_hz:
            scale.feel(contact)
        rows += scale.read(round(t_s * 1e9), t_s).grams
    counts = [len(shelf.plates) for shelf in face.shelves]
    samples = np.full((len(rows), len(counts), max(counts)), np.nan)
    samples[:, np.arange(max(counts)) < np.array(counts)[:, None]] = np.array(rows, float)
    return samples


def _walker(place: tuple[float, float, float], t_s: float) -> Scene:
    person = BodyState("walker", 0, 0, place[0], place[1], 0.0, 0.9, (0.9 * t_s) % 1.0)
    return Scene(round(t_s * 1e9), (person,), {})


def _batches(path: Path) -> dict[str, Array]:
    """Samples (n, shelves, plates) by gondola, counted from 0."""
    parts: dict[str, list[tuple[float, Array]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        message: dict[str, Any] = json.loads(line)
        values = message["document"]["plate_data"]["values"]
        samples = np.frombuffer(base64.b64decode(values["data"]), "<f4").reshape(values["shape"])
        parts[str(message["gondola_id"])].append((float(message["timestamp"]), samples[:, 1:, 1:].astype(float)))
    return {
        name: np.concatenate([samples for _, samples in sorted(found, key=lambda pair: pair[0])])
        for name, found in sorted(parts.items())
    }


def _lag_one(samples: Array) -> Array:
    """Lag-1 autocorrelation of columns."""
    off = samples - samples.mean(axis=0)
    return np.asarray((off[1:] * off[:-1]).sum(axis=0) / (off**2).sum(axis=0))


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts) if parts else np.empty(0)
