"""Where things are in the NanoStore: gondolas, shelves, plates and cameras in metres.

In: ``store_meta``: parts relative to their parents (metres, Rodrigues vectors) and cameras (inches, intrinsics as
shares of the picture). Out: fixtures and cameras in the form of a store document.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from smartstore.formats.cameras import SQUARE, Array, rodrigues_matrix, roll_deg
from smartstore.formats.nanostore_source import Findings, NanoStoreError, formed_like_the_set, number, vector

INCH_M = 0.0254
PICTURE_PX = (1280, 720)
"""The shape that makes both focal lengths equal; the data has only shares of width and height."""


@dataclass(frozen=True, slots=True)
class Board:
    """A shelf with its plates: number to (offset, width) from the left end of the gondola's face."""

    height_m: float
    clear_m: float
    plates: Mapping[int, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Gondola:
    """A gondola as a store document has fixtures: ``origin_m`` is the left end of its face."""

    origin_m: tuple[float, float]
    facing_deg: float
    width_m: float
    depth_m: float
    height_m: float
    shelves: Mapping[int, Board]


def read_gondolas(
    gondolas: Iterable[Mapping[str, Any]], shelves: Iterable[Mapping[str, Any]], plates: Iterable[Mapping[str, Any]],
    hung_m: Mapping[tuple[int, int], float], findings: Findings,
) -> dict[int, Gondola]:  # fmt: skip
    """Gondolas by number. ``hung_m`` are the heights that the planogram has for shelves, which win.

    Raises:
        NanoStoreError: a part lacks its id or its size, or belongs to nothing.
    """
    with formed_like_the_set("store_meta"):
        frames = {int(g["id"]["id"]): g["coordinates"] for g in gondolas}
        boards = {(int(s["id"]["gondola_id"]["id"]), int(s["id"]["shelf_index"])): s["coordinates"] for s in shelves}
        on: dict[tuple[int, int], dict[int, Mapping[str, Any]]] = {}
        for plate in plates:
            shelf = plate["id"]["shelf_id"]
            key = int(shelf["gondola_id"]["id"]), int(shelf["shelf_index"])
            on.setdefault(key, {})[int(plate["id"]["plate_index"])] = plate["coordinates"]
        if lost := [key for key in on if key not in boards] + [key for key in boards if key[0] not in frames]:
            raise NanoStoreError(
                f"store_meta: shelf {lost[0][1]} of gondola {lost[0][0]} belongs to nothing; fetch it again"
            )
        return {
            number_: _gondola(
                number_, frame, {s: c for (g, s), c in boards.items() if g == number_}, on, hung_m, findings
            )
            for number_, frame in sorted(frames.items())
        }


def _gondola(
    name: int, frame: Mapping[str, Any], boards: Mapping[int, Mapping[str, Any]],
    on: Mapping[tuple[int, int], Mapping[int, Mapping[str, Any]]], hung_m: Mapping[tuple[int, int], float],
    findings: Findings,
) -> Gondola:  # fmt: skip
    place, turn = _pose(frame)
    depth = max((float(board["dim_y"]) for board in boards.values()), default=float(frame["dim_y"]))
    front = min((_pose(board)[0][1] for board in boards.values()), default=0.0)
    origin, along = place + turn @ np.array([0.0, front, 0.0]), turn @ np.array([1.0, 0.0, 0.0])
    outwards = turn @ np.array([0.0, -1.0, 0.0])
    if abs(outwards[2]) > 1e-3 or abs(along[2]) > 1e-3:
        findings.add("a gondola leans", f"gondola {name}", "stood upright")
    heights = {}
    for shelf, board in sorted(boards.items()):
        surveyed = float((place + turn @ _pose(board)[0])[2])
        heights[shelf] = hung_m.get((name, shelf), surveyed)
        if abs(heights[shelf] - surveyed) > 0.01:
            findings.add("Shelves.json and the planogram differ about a shelf's height",
                         f"gondola {name} shelf {shelf}: {surveyed:.3f} and {heights[shelf]:.3f} m",
                         "the planogram's: it is of the day")  # fmt: skip
    shelves = {}
    for shelf, board in sorted(boards.items()):
        corner, tilt = _pose(board)
        above = min((h for h in heights.values() if h > heights[shelf]), default=math.inf)
        clear = round(min(float(board["dim_z"]), above - heights[shelf]), 4)
        placed = {}
        for index, plate in sorted(on.get((name, shelf), {}).items()):
            at = place + turn @ (corner + tilt @ _pose(plate)[0])
            placed[index] = (round(max(0.0, float((at - origin) @ along)), 4), round(float(plate["dim_x"]), 4))
        shelves[shelf] = Board(round(heights[shelf], 4), clear, placed)
    facing = round(math.degrees(math.atan2(outwards[1], outwards[0])), 2) % 360
    return Gondola((round(float(origin[0]), 4), round(float(origin[1]), 4)), facing, round(float(frame["dim_x"]), 4),
                   round(depth, 4), round(float(frame["dim_z"]), 4), shelves)  # fmt: skip


def _pose(coordinates: Mapping[str, Any]) -> tuple[Array, Array]:
    """Place and rotation of a part in its parent."""
    moved = coordinates.get("transform") or {}
    return np.array(vector(moved.get("translation"))), rodrigues_matrix(np.array(vector(moved.get("rotation"))))


def read_cameras(calibration: Mapping[str, Any], findings: Findings) -> list[dict[str, Any]]:
    """The RGB cameras as a store document has them; raises :class:`NanoStoreError`."""
    out = []
    for name, values in (calibration.get("cameras") or {}).items():
        if not name.isdigit() or int(name) > 12:
            findings.add("a camera with depth", name, "left out: nothing here reads depth")
            continue
        try:
            out.append(_camera(name, values, findings))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise NanoStoreError(f"calibration.json: camera {name} cannot be read ({error}); fetch it again") from error
    return out


def _camera(name: str, values: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    width, height = PICTURE_PX
    k, pose = np.array(values["K"], float), np.array(values["Tw"], float)
    turn, place = pose[:3, :3], pose[:3, 3] * INCH_M
    if not np.allclose(turn.T @ turn, np.eye(3), atol=1e-3) or np.linalg.det(turn) < 0:
        raise ValueError("its rotation is none")
    fx, fy = k[0, 0] * width, k[1, 1] * height
    if abs(fx - fy) > SQUARE * fx:
        findings.add(
            "a camera's pixels are not square", f"camera {name}: {fx:.1f} and {fy:.1f} px", "mean focal length"
        )
    forward = turn[:, 2]
    aim = np.asarray(values.get("look_at", place / INCH_M + forward), float) * INCH_M - place
    middle = turn @ [(0.5 - k[0, 2]) / k[0, 0], (0.5 - k[1, 2]) / k[1, 1], 1.0]
    cosine = aim @ middle / np.linalg.norm(aim) / np.linalg.norm(middle)
    if (off := math.degrees(math.acos(np.clip(cosine, -1, 1)))) > 0.5:
        findings.add("a camera's look_at is not in the middle of its picture", f"camera {name}: {off:.1f} degrees off",
                     "Tw counts")  # fmt: skip
    target = place + forward * float(np.linalg.norm(aim))
    lens = [number(value) or 0.0 for value in values.get("dist_coeffs", ())][:5]
    return {
        "id": f"camera-{name}", "kind": "ceiling", "position_m": [round(float(v), 5) for v in place],
        "look_at_m": [round(float(v), 5) for v in target], "roll_deg": round(roll_deg(forward, turn[:, 0]), 4),
        "width_px": width, "height_px": height, "focal_px": round(float(fx + fy) / 2, 3),
        "principal_px": [round(float(k[0, 2]) * width, 3), round(float(k[1, 2]) * height, 3)],
        "distortion": lens + [0.0] * (5 - len(lens)), "fps": 5.0,
    }  # fmt: skip
