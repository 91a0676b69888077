"""Boxes around nobody, as cameras with inference on board report them now and then, for a while at the same place.

In: event time that passes. Out: people who are not there. Errors as in :mod:`sims.devices.edge_model`.
"""

import numpy as np

from sims.devices.edge_laws import FalseBoxes as FalseLaw
from sims.optics import CameraSpec
from smartstore.wire.messages import SeenPerson


class FalseBoxes:
    """The false boxes of one camera."""

    def __init__(self, law: FalseLaw, spec: CameraSpec, numbers: int, random: np.random.Generator) -> None:
        self._law, self._random, self._numbers = law, random, numbers
        self._size = np.array([spec.width_px, spec.height_px], float)
        self._now: list[SeenPerson] = []

    def find(self, passed_s: float) -> list[SeenPerson]:
        """Those that are reported after another ``passed_s`` seconds."""
        random, law = self._random, self._law
        if self._now:
            stays = random.random(len(self._now)) < np.exp(-passed_s / law.lasts_s)
            self._now = [person for person, stay in zip(self._now, stays, strict=True) if stay]
        if random.random() < law.per_min / 60.0 * passed_s:
            self._now.append(self._new())
        return list(self._now)

    def _new(self) -> SeenPerson:
        random, law = self._random, self._law
        width, height = self._size
        high = float(np.clip(law.tall * np.exp(law.tall_spread * random.normal()), 0.03, 0.95)) * height
        wide = min(high * random.uniform(0.35, 0.9), 0.9 * width)
        left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
        places = random.uniform((left, top), (left + wide, top + high), (17, 2))
        joints = np.column_stack([places, random.uniform(0.0, 0.45, 17)])
        look = random.normal(size=self._numbers)
        return SeenPerson(
            box=np.round([left, top, left + wide, top + high], 1).tolist(),
            score=round(float(np.clip(law.score + law.score_spread * random.normal(), 0.2, 0.95)), 3),
            joints=joints.round(2).tolist(),
            appearance=np.round(look / np.linalg.norm(look), 4).tolist(),
        )
