"""The rays of a store's cameras by look-up.

In: surveyed cameras, once. Out: for pixels of any of them the directions in the store's frame. Undistorting each joint
anew would cost more than all the rest.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel, distort, valid_r2
from smartstore.vision import sight_kernels
from smartstore.vision.sight_kernels import Lenses

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]
Bools = NDArray[np.bool_]


class RayTable:
    """Rays on a grid of pixels of each camera; a camera's ``number`` is its place in :attr:`position_m` and so on."""

    STEP_PX = 4.0
    MARGIN_PX = 40.0

    def __init__(self, models: Mapping[str, CameraModel]) -> None:
        self.models = dict(models)
        self.number = {camera: i for i, camera in enumerate(self.models)}
        self.position_m = np.array([model.position_m for model in models.values()]).reshape(-1, 3)
        self.focal_px = np.array([model.k[0, 0] for model in models.values()])
        self.height_px = np.array([model.height_px for model in models.values()], float)
        self._rotation = np.array([model.rotation for model in models.values()]).reshape(-1, 3, 3)
        self._k = np.array([model.k for model in models.values()]).reshape(-1, 3, 3)
        self._distortion = np.array([model.distortion for model in models.values()]).reshape(-1, 5).T
        self._furthest_r2 = np.array([valid_r2(model.distortion) for model in models.values()])
        self._size_px = np.array([(model.width_px, model.height_px) for model in models.values()]).reshape(-1, 2)
        grids = [self._nodes_of(model) for model in models.values()]
        sizes = np.array([grid.shape[:2] for grid in grids], np.intp).reshape(-1, 2)
        self.lenses = Lenses(
            np.concatenate([np.zeros((0, 3)), *(grid.reshape(-1, 3) for grid in grids)]),
            np.cumsum([0, *sizes.prod(axis=1)]),
            sizes[:, 1].copy(), sizes[:, 0].copy(),
            self.position_m, self.focal_px, self.height_px, self.STEP_PX, self.MARGIN_PX,
        )  # fmt: skip

    def _nodes_of(self, model: CameraModel) -> Array:
        """The rays (rows, columns, 3) of every few pixels."""
        xs = np.arange(-self.MARGIN_PX, model.width_px + self.MARGIN_PX + self.STEP_PX, self.STEP_PX)
        ys = np.arange(-self.MARGIN_PX, model.height_px + self.MARGIN_PX + self.STEP_PX, self.STEP_PX)
        grid = np.stack(np.meshgrid(xs, ys), axis=-1)
        return model.rays(grid.reshape(-1, 2)).reshape(len(ys), len(xs), 3)

    def looking_at(self, place_m: tuple[float, float, float]) -> set[str]:
        """The cameras that have a place in their picture."""
        local = (self._rotation @ (np.array(place_m) - self.position_m)[:, :, None])[:, :, 0]
        ahead = local[:, 2] > 1e-6
        xy = local[:, :2] / np.where(ahead, local[:, 2], 1.0)[:, None]
        focal, centre = self._k[:, (0, 1), (0, 1)], self._k[:, :2, 2]
        pixels = distort(xy, self._distortion) * focal + centre
        shown = (
            ahead & ((xy**2).sum(axis=1) < self._furthest_r2) & ((pixels > 0) & (pixels < self._size_px)).all(axis=1)
        )
        return {camera for camera, there in zip(self.models, shown.tolist(), strict=True) if there}

    def rays(self, pixels: Array, camera: Numbers, wanted: Bools | None = None) -> Array:
        """Directions (n, k, 3) of pixels (n, k, 2), of almost unit length; ``camera`` (n,) are the cameras' numbers.

        Pixels far outside are taken to the edge. Those that are not ``wanted`` (n, k) are zeros.
        """
        wanted = np.ones(pixels.shape[:2], bool) if wanted is None else wanted
        return sight_kernels.rays(np.asarray(pixels, float), wanted, camera, self.lenses)
