"""Catalogue pictures: every product alone before white, as its maker would photograph it.

In: a building and a look's prints. Out: an RGB picture per SKU, cropped to the product: its front, as high and wide as
it is. Light is even and the prints are the only thing taken from the look, so such a picture knows nothing of a store.
"""

from dataclasses import replace

import numpy as np

from sims.building import Building
from sims.devices.goods import item_mesh
from sims.devices.look import Look, Picture, rgba
from sims.devices.panda import Node, Pose, Stage, View, open_door
from sims.devices.prints import atlas

HALF_PX = 80
"""Half the longer side of a catalogue picture."""
SAMPLES = 4
AWAY_M = 4.0
"""From so far away a product shows as in its plan."""


def packshots(building: Building, look: Look) -> dict[str, Picture]:
    """SKU to picture (h, w, 3), white where nothing of the product shows."""
    prints = atlas(building.items, replace(look, exposure=1.0))
    stage, door = Stage(), open_door()
    stage.add_texture("atlas", prints.picture, repeats=False)
    view = View(door, stage, 2 * HALF_PX, 2 * HALF_PX, SAMPLES)
    looks_along_y = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    pictures = {}
    for sku, item in building.items.items():
        mesh = item_mesh(item, prints, all_round=False)
        # Soft light from the front and a little from above.
        shade = np.clip(0.35 - 0.60 * mesh.normals[:, 1:2] + 0.15 * mesh.normals[:, 2:3], 0.2, 1.0)
        node = Node(stage.still, mesh.points, rgba(mesh.colours * shade), mesh.uv, mesh.faces, stage.textures["atlas"])
        width_m, depth_m, height_m = item.size_m
        focal_px = 1.9 * HALF_PX * AWAY_M / max(height_m, width_m)
        pose = Pose(looks_along_y, (0.0, -depth_m / 2 - AWAY_M, height_m / 2), focal_px)
        view.draw(pose, stage.still, (1, 1, 1, 1))
        shown = view.picture()[::-1, :, 2::-1]
        half = np.array([height_m, width_m]) * focal_px / AWAY_M / 2
        (top, left), (bottom, right) = np.rint(HALF_PX - half).astype(int), np.rint(HALF_PX + half).astype(int)
        pictures[sku] = np.ascontiguousarray(shown[top:bottom, left:right])
        node.remove()
    view.close()
    return pictures
