"""Cameras as they hang: a little beside where the survey says, and looking a little past it.

In: a surveyed building and how far off its cameras are. Out: the building as built, for whatever draws pictures or
joints.
"""

from dataclasses import replace

import numpy as np

from sims.building import Building
from sims.chance import stream
from sims.flaws import Mounting
from sims.optics import CameraSpec


def as_built(building: Building, mounting: Mounting, seed: int) -> Building:
    """The same building with its cameras where they really are."""
    hung = {name: _hang(spec, mounting, stream(seed, f"mounting/{name}")) for name, spec in building.cameras.items()}
    return replace(building, cameras=hung)


def _hang(spec: CameraSpec, mounting: Mounting, random: np.random.Generator) -> CameraSpec:
    position = np.asarray(spec.position_m)
    towards = np.asarray(spec.look_at_m) - position
    across = random.normal(0.0, np.tan(np.radians(mounting.angle_deg)), 2) * float(np.linalg.norm(towards))
    moved = position + random.normal(0.0, mounting.position_m, 3)
    aim = moved + towards + across[0] * spec.rotation[0] + across[1] * spec.rotation[1]
    focal_px = spec.focal_px * (1.0 + float(random.normal(0.0, mounting.focal_share)))
    lens = spec.distortion
    if mounting.distortion_share:
        k1, k2, p1, p2, k3 = (float(k * (1.0 + random.normal(0.0, mounting.distortion_share))) for k in lens)
        lens = (k1, k2, p1, p2, k3)
    x, y, z = (float(v) for v in moved)
    ax, ay, az = (float(v) for v in aim)
    return replace(spec, position_m=(x, y, z), look_at_m=(ax, ay, az), focal_px=focal_px, distortion=lens)
