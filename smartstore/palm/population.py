"""Palms as scanners give them: people, captures of different quality, and attacks. For measuring, not for people.

In: a seed. Out: vectors and liveness scores; a person's palm is the same whatever else is asked for. It is a model:
whoever has a scanner should measure its own palms. Where its numbers come from:

- Vectors: 128 numbers whose variance falls to e^-2 of the first, so that people differ in about 97 independent ways.
- Captures: noise relative to the vector, log-normal over captures and over people (some people are always hard to
  recognise: Doddington et al. 1998, "Sheep, goats, lambs and wolves"), and one capture in 200 is a bad one. Set so that
  single captures fail far more often than the 0.01 % that Fujitsu states for palm veins at a false acceptance of
  0.00008 % (140,000 palms; The Engineer, July 2006), which is a vendor's figure under a vendor's conditions.
- Prints of palm veins were accepted in 65 % of attempts by a system without liveness (Tome and Marcel 2015, "On the
  vulnerability of palm vein recognition to spoofing attacks"): the noise of a print is set so that it is at this
  service's limit of distance. Screens are assumed to be as near, casts nearer.
- Liveness scores are logistic-normal. Rejected living palms (BPCER) 0.4 %, accepted prints (APCER) 0.6 %, screens 2 %,
  casts 11 %, at a limit of 0.5: assumptions, in the words of ISO/IEC 30107-3.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DIMENSION = 128
_BLOCK = 4096
_ENROLMENT_CAPTURES = 3
"""A desk fuses so many captures into one palm."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Noise of captures relative to the palm: median, and log-standard deviations over captures and over people."""

    median: float = 0.45
    over_captures: float = 0.25
    over_people: float = 0.20
    bad_share: float = 0.005
    bad_factor: float = 3.0


@dataclass(frozen=True, slots=True)
class Attack:
    """A copy of somebody's palm: its noise, and the liveness it pretends, as a logit's mean and standard deviation."""

    name: str
    noise: float
    logit_mean: float
    logit_sd: float
    noise_spread: float = 0.35


ALIVE_LOGIT_MEAN, ALIVE_LOGIT_SD = 4.0, 1.5
ATTACKS = (Attack("print", 1.0, -5.0, 2.0), Attack("screen", 1.0, -4.0, 2.0), Attack("cast", 0.75, -2.5, 2.0))


class Population:
    """As many people as are asked for; person ``n`` is always the same."""

    def __init__(self, seed: int, quality: Quality = Quality()) -> None:  # noqa: B008 - frozen
        self._seed, self._quality = seed, quality
        self._scale = np.exp(-np.arange(DIMENSION) / DIMENSION).astype(np.float32)

    def enrolled(self, first: int, count: int) -> Floats:
        """Palms of people as a desk enrols them, shape (count, DIMENSION)."""
        people = np.arange(first, first + count)
        noise = self._quality.median * self._goats(people) / np.sqrt(_ENROLMENT_CAPTURES)
        return self._palms(people) + self._noise("enrol", people, noise.astype(np.float32))

    def captured(self, people: NDArray[np.int64], visit: int = 0) -> Floats:
        """The palms of these people as a gate's scanner reads them on a visit."""
        q, rng = self._quality, self._stream("quality", visit)
        spread = np.exp(q.over_captures * rng.normal(size=len(people)))
        bad = np.where(rng.random(len(people)) < q.bad_share, q.bad_factor, 1.0)
        noise = q.median * self._goats(people) * spread * bad
        return self._palms(people) + self._noise(f"visit {visit}", people, noise.astype(np.float32))

    def attacked(self, people: NDArray[np.int64], attack: Attack) -> Floats:
        """Copies of these people's palms."""
        rng = self._stream(f"quality {attack.name}", int(people[0]))
        noise = attack.noise * np.exp(attack.noise_spread * rng.normal(size=len(people)))
        return self._palms(people) + self._noise(attack.name, people, noise.astype(np.float32))

    def liveness(self, people: NDArray[np.int64], attack: Attack | None = None) -> NDArray[np.float64]:
        """Liveness scores in 0..1 of these people's living palms, or of copies of them."""
        mean, sd = (attack.logit_mean, attack.logit_sd) if attack else (ALIVE_LOGIT_MEAN, ALIVE_LOGIT_SD)
        rng, count = self._stream(f"liveness {attack.name if attack else ''}", int(people[0])), len(people)
        return np.asarray(1 / (1 + np.exp(-(mean + sd * rng.normal(size=count)))))

    def _palms(self, people: NDArray[np.int64]) -> Floats:
        """True palms, from blocks that are drawn anew each time: a million people need no memory."""
        palms = np.empty((len(people), DIMENSION), np.float32)
        blocks = people // _BLOCK
        for block in np.unique(blocks):
            here = blocks == block
            drawn = self._stream("palms", int(block)).standard_normal((_BLOCK, DIMENSION), np.float32)
            palms[here] = drawn[people[here] % _BLOCK]
        return palms * self._scale

    def _goats(self, people: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much noisier than others everybody is."""
        blocks = people // _BLOCK
        found = np.empty(len(people))
        for block in np.unique(blocks):
            here = blocks == block
            found[here] = self._stream("goats", int(block)).normal(size=_BLOCK)[people[here] % _BLOCK]
        return np.asarray(np.exp(self._quality.over_people * found))

    def _noise(self, what: str, people: NDArray[np.int64], noise: Floats) -> Floats:
        drawn = self._stream(what, int(people[0])).standard_normal((len(people), DIMENSION), np.float32)
        return drawn * self._scale * noise[:, np.newaxis]

    def _stream(self, what: str, number: int) -> np.random.Generator:
        """A generator for each use."""
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(*what.encode(), number)))
