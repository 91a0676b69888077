"""The rays of a store's cameras by look-up.

In: surveyed cameras, once. Out: for pixels of any of them the directions in the store's frame. Undistorting each joint
anew would cost more than all the rest.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from smartstore.domain.geometry import CameraModel

Array = NDArray[np.float64]
Numbers = NDArray[np.intp]


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
        grids = [self._cells_of(model) for model in models.values()]
        sizes = np.array([grid.shape[:2] for grid in grids], np.intp).reshape(-1, 2)
        self._columns, self._last = sizes[:, 1], sizes[:, ::-1] - 1
        self._first = np.cumsum([0, *sizes.prod(axis=1)])
        self._cells = np.concatenate([np.zeros((0, 4, 3)), *(grid.reshape(-1, 4, 3) for grid in grids)])

    def _cells_of(self, model: CameraModel) -> Array:
        """The bilinear form of the rays in each cell: its corner, what x adds, what y adds and what both add, for x and
        y in 0..1: (rows, columns, 4, 3).
        """
        xs = np.arange(-self.MARGIN_PX, model.width_px + self.MARGIN_PX + self.STEP_PX, self.STEP_PX)
        ys = np.arange(-self.MARGIN_PX, model.height_px + self.MARGIN_PX + self.STEP_PX, self.STEP_PX)
        grid = np.stack(np.meshgrid(xs, ys), axis=-1)
        rays = model.rays(grid.reshape(-1, 2)).reshape(len(ys), len(xs), 3)
        corner, right, below, far = rays[:-1, :-1], rays[:-1, 1:], rays[1:, :-1], rays[1:, 1:]
        return np.stack([corner, right - corner, below - corner, far - right - below + corner], axis=2)

    def rays(self, pixels: Array, camera: Numbers) -> Array:
        """Directions (n, k, 3) of pixels (n, k, 2), of almost unit length; ``camera`` (n,) are the cameras' numbers.

        Pixels far outside are taken to the edge.
        """
        at = (pixels + self.MARGIN_PX) / self.STEP_PX
        cell = np.minimum(np.maximum(at.astype(np.intp), 0), self._last[camera][:, None])
        part = np.minimum(np.maximum(at - cell, 0.0), 1.0)
        place = cell[..., 1] * self._columns[camera][:, None] + cell[..., 0] + self._first[camera][:, None]
        form, x, y = self._cells[place], part[..., :1], part[..., 1:]
        return np.asarray(form[..., 0, :] + x * form[..., 1, :] + y * (form[..., 2, :] + x * form[..., 3, :]))
