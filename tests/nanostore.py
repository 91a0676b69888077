"""The NanoStore data for tests: the real one where it is at hand, and a small one of the same form."""

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

COLA, TEA, BREAD = "012000000133", "012000286209", "071142008582"


def real_nanostore() -> Path:
    """The folder of the real data set; skips loudly where there is none."""
    place = Path(os.environ.get("SMARTSTORE_NANOSTORE", Path(__file__).parents[1] / "../shared/nanostore"))
    if not (place / "planogram.json").is_file():
        pytest.skip(f"NO NANOSTORE DATA AT {place}: set SMARTSTORE_NANOSTORE to its folder")
    return place


def small_nanostore(folder: Path) -> Path:
    """Two gondolas at a right angle, two shelves of three plates each, one case, and all the mess of the real one."""
    meta = folder / "store_meta"
    meta.mkdir(parents=True)
    turns = {1: 0.0, 2: -np.pi / 2}
    gondolas = [
        {
            "id": {"id": n},
            "coordinates": _at((2.0 * n, 0.5, 0.0), turn) | {"dim_x": 0.3048, "dim_y": 0.03, "dim_z": 2.0},
        }
        for n, turn in turns.items()
    ]
    shelves = [
        {"id": _shelf(g, s), "coordinates": _at((0.0, -0.4, 0.5 * s)) | {"dim_x": 0.3048, "dim_y": 0.4, "dim_z": 0.3}}
        for g in turns for s in (1, 2)
    ]  # fmt: skip
    plates = [
        {"id": plate(g, s, p), "coordinates": _at((0.1016 * (p - 1), 0.0, 0.0)) | {"dim_x": 0.1016, "dim_y": 0.4}}
        for g in turns for s in (1, 2) for p in (1, 2, 3)
    ]  # fmt: skip
    (meta / "Gondolas.json").write_text(json.dumps({"gondolas": gondolas}))
    (meta / "Shelves.json").write_text(json.dumps({"shelves": shelves}))
    (meta / "Plates.json").write_text(json.dumps({"plates": plates}))
    camera = {"K": [[0.8, 0, 0.5], [0, 0.8 * 16 / 9, 0.45], [0, 0, 1]], "dist_coeffs": [-0.5, 0.2, 0, 0, 0],
              "Tw": [[1, 0, 0, 100], [0, -1, 0, -30], [0, 0, -1, 96], [0, 0, 0, 1]]}  # fmt: skip
    calibration = {"world_ltrb": [-40, -110, 220, 60], "cameras": {"1": camera, "21-depth": camera}}
    (meta / "calibration.json").write_text(json.dumps(calibration))
    products = [("120130", "Pepsi, 12 fl oz", 381.0), (TEA, "Tea", 592.7), (BREAD, "Water", 1.6), ("UNKOWN", "?", 1.0)]
    _lines(folder / "products.json", [
        {"product_id": {"id": code}, "metadata": {"name": name, "price": 2, "weight": grams}}
        for code, name, grams in products
    ])  # fmt: skip
    facings = [("120130", [(1, 1, 1), (1, 1, 2)]), (TEA, [(1, 1, 2), (1, 1, 3)]), (BREAD, [(1, 2, 1), (1, 2, 3)]),
               ("099999999990", [(2, 1, 1)])]  # fmt: skip
    _lines(folder / "planogram.json", [
        {"planogram_product_id": {"id": code}, "plate_ids": [plate(*one) for one in on]} for code, on in facings
    ])  # fmt: skip
    case = folder / "feeds/Case-A"
    case.mkdir(parents=True)
    _lines(case / "plate_data.json", [weights(1, k) for k in range(10)])
    with (case / "plate_data.json").open("a") as file:
        file.write("{not json\n")
    _lines(case / "full_targets.json", [people(0.1 * k, ("7", 50.0 + k, -30.0)) for k in range(20)])
    return folder


def _at(moved: Sequence[float], turn: float = 0.0) -> dict[str, Any]:
    """A place in the parent; what is 0 is left out, as protobuf does."""
    place = {axis: value for axis, value in zip("xyz", moved, strict=True) if value}
    return {"transform": {"translation": place, "rotation": {"z": turn} if turn else {}}}


def _shelf(gondola: int, shelf: int) -> dict[str, Any]:
    return {"gondola_id": {"id": gondola}, "shelf_index": shelf}


def plate(gondola: int, shelf: int, index: int) -> dict[str, Any]:
    """The id of a plate as the data has it."""
    return {"shelf_id": _shelf(gondola, shelf), "plate_index": index}


def weights(gondola: int, k: int, begin_s: float = 1000.0) -> dict[str, Any]:
    """Batch ``k`` of a gondola: 12 samples, rows and columns from 0 on, the third plate dead."""
    samples = np.full((12, 3, 4), np.nan, np.float32)
    samples[:, 1:, 1:3] = 500.0 + np.arange(12)[:, None, None] * 0.241
    data = base64.b64encode(samples.tobytes()).decode()
    about = {"plate_id": {"shelf_id": {"gondola_id": {"id": gondola}}}, "freq_samp": 60.0,
             "values": {"data": data, "shape": [12, 3, 4]}}  # fmt: skip
    jitter = 0.01 * (-1) ** k
    return {"_id": {"$oid": f"{k:024x}"}, "timestamp": begin_s + 0.2 * k + jitter, "document": {"plate_data": about}}


def people(t_s: float, *seen: tuple[str, float, float]) -> dict[str, Any]:
    """A view of (id, x, y in inches) people, stored two seconds later."""
    targets = []
    for name, x, y in seen:
        joint = {"point": {"x": x, "y": y, "z": 58.0}, "score": 0.9}
        wrist = {"point": {"x": x + 20, "y": y, "z": 40.0}, "score": 0.8}
        targets.append({"target_id": {"id": name}, "head": joint, "l_shoulder": joint, "r_shoulder": joint,
                        "l_wrist": wrist, "r_wrist": {"point": {}}})  # fmt: skip
    when = {"$date": {"$numberLong": str(round(1000 * (1002.0 + t_s)))}}
    return {"timestamp": {"$numberDouble": str(1000.0 + t_s)}, "date_time": when,
            "document": {"targets": {"targets": targets} if targets else {}}}  # fmt: skip


def _lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
