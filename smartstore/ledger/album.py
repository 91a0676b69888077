"""The pictures around a case: the last ones of every camera are kept for a while, and a case saves those that show it.

In: pictures as they come, and cases. Out: files in a folder beside the journal, and their names. What is kept is
bounded: ``KEEP_S`` seconds per camera, at most one picture every ``APART_S``.
"""

import hashlib
import logging
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.events import CasePicture, CaseRaised
from smartstore.site import Site, SurveyedCamera
from smartstore.wire.codec import Packet

log = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
KEEP_S = 30.0
APART_S = 0.4
MOMENTS_S = (-3.0, -1.0, 0.0, 1.0, 2.0)
"""When a case is looked at, around its time: the shelf before, the hands, the shelf after."""
NEAR_S = 0.6
"""A picture this far from such a moment still stands for it."""
CEILING_CAMERAS = 2
"""So many of them, the nearest, tell who stood there; shelf cameras all show what changed."""
BREAST_M = 1.3
"""What is looked for of somebody at a gate."""


class Album:
    """The last pictures of the cameras of a store. Without a ``folder`` nothing is kept."""

    def __init__(self, site: Site, folder: Path | None) -> None:
        self._site, self._folder = site, folder
        most = round(KEEP_S / APART_S)
        self._kept: dict[str, deque[tuple[int, bytes]]] = {camera: deque(maxlen=most) for camera in site.cameras}

    def see(self, camera: str, packet: Packet) -> None:
        """Takes note of a picture; those of unknown cameras, without a time, or too close to the last are left."""
        kept, text = self._kept.get(camera), packet.properties.get("t_ns", "")
        if self._folder is None or kept is None or not (text.isascii() and text.isdigit() and len(text) < 20):
            return
        t_ns = int(text)
        if not kept or not 0 <= t_ns - kept[-1][0] < APART_S * NS_PER_S:
            kept.append((t_ns, packet.payload))

    def illustrated(self, case: CaseRaised) -> CaseRaised:
        """The case with the pictures around it, which are then on disk."""
        if self._folder is None:
            return case
        name = case.case.replace("/", "-")
        name = name if len(name) <= 120 else f"{name[:100]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        pictures = []
        try:
            for camera in self._showing(case.place):
                for t_ns, jpeg in self._around(camera, case.t_ns):
                    picture = CasePicture(camera, t_ns, f"{name}/{camera}-{t_ns}.jpg")
                    path = self._folder / picture.file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(jpeg)
                    pictures.append(picture)
        except OSError as error:  # a case without pictures is still a case
            log.warning("pictures of case %s cannot be kept in %s: %s", case.case, self._folder, error.strerror)
        return replace(case, pictures=tuple(pictures))

    def _around(self, camera: str, t_ns: int) -> list[tuple[int, bytes]]:
        """The pictures nearest to the moments around ``t_ns``, oldest first."""
        found: dict[int, bytes] = {}
        for moment_s in MOMENTS_S:
            wanted_ns = t_ns + round(moment_s * NS_PER_S)
            near = min(self._kept[camera], key=lambda kept: abs(kept[0] - wanted_ns), default=None)
            if near is not None and abs(near[0] - wanted_ns) <= NEAR_S * NS_PER_S:
                found[near[0]] = near[1]
        return sorted(found.items())

    def _showing(self, place: str) -> list[str]:
        """Shelf cameras that look at the place (a facing, a shelf, a gate), and the nearest from above that see it."""
        facing = self._site.facings.get(place)
        shelf = self._site.shelves.get(facing.shelf if facing else place)
        points = [f.centre_m for f in ([facing] if facing else shelf.facings if shelf else [])]
        points += [(x, y, BREAST_M) for gate in self._site.gates if gate.id == place for x, y in gate.line_m]
        watchers = list(self._site.watchers_of(shelf.fixture)) if shelf else []
        if not points:
            return watchers
        middle = np.mean(points, axis=0)
        above = [
            camera for camera in self._site.cameras.values() if camera.kind == "ceiling" and _in_picture(camera, middle)
        ]
        above.sort(key=lambda camera: (float(np.linalg.norm(camera.model.position_m - middle)), camera.id))
        return [*watchers, *(camera.id for camera in above[:CEILING_CAMERAS])]


def _in_picture(camera: SurveyedCamera, point_m: NDArray[np.float64]) -> bool:
    u, v = camera.model.project(point_m)[0]
    return bool(0 <= u < camera.model.width_px and 0 <= v < camera.model.height_px)
