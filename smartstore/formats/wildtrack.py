"""Calibrations of the WILDTRACK data set: per camera one XML file of intrinsics and one of where it hangs.

In: a folder ``calibrations`` with ``intrinsic_original`` or ``intrinsic_zero`` (``intr_NAME.xml``) and ``extrinsic``
(``extr_NAME.xml``: Rodrigues vector, and translation in **centimetres**, world to camera). Out: the same. Sizes of
pictures are in no file; those of the set are 1920 × 1080.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from smartstore.formats.cameras import Calibration, five
from smartstore.formats.opencv import read_storage
from smartstore.formats.text import FormatError

PICTURE_PX = (1920, 1080)
CM_M = 0.01
LENSES = ("intrinsic_original", "intrinsic_zero")
"""With the distortion of the lens, and for pictures that it was taken out of."""


def read_wildtrack(folder: Path, undistorted: bool = False, size_px: tuple[int, int] = PICTURE_PX) -> list[Calibration]:
    """All cameras of a folder; ``undistorted`` for the pictures without distortion.

    Raises:
        FormatError: a file is missing or cannot be read.
    """
    lens = folder / LENSES[undistorted]
    found = sorted((folder / "extrinsic").glob("extr_*.xml"))
    if not found:
        raise FormatError(f"{folder}: has no extrinsic/extr_*.xml; name the folder 'calibrations' of the set")
    return [_camera(path, lens / path.name.replace("extr_", "intr_"), size_px) for path in found]


def wildtrack_files(cameras: Iterable[Calibration]) -> Iterator[tuple[str, str]]:
    """Paths below the folder, and what is written there."""
    for camera in cameras:
        turn, place = (" ".join(repr(float(v)) for v in part) for part in (camera.rvec, camera.tvec_m / CM_M))
        pose = f"<rvec>\n  {turn}</rvec>\n<tvec>\n  {place}</tvec>\n"
        yield f"extrinsic/extr_{camera.camera}.xml", _storage(pose)
        matrices = {"camera_matrix": camera.k, "distortion_coefficients": camera.distortion.reshape(5, 1)}
        body = "".join(
            f'<{name} type_id="opencv-matrix">\n  <rows>{matrix.shape[0]}</rows>\n  <cols>{matrix.shape[1]}</cols>\n'
            f"  <dt>d</dt>\n  <data>\n    {' '.join(repr(float(v)) for v in matrix.ravel())}</data></{name}>\n"
            for name, matrix in matrices.items()
        )
        yield f"{LENSES[0]}/intr_{camera.camera}.xml", _storage(body)


def _storage(body: str) -> str:
    return f'<?xml version="1.0"?>\n<opencv_storage>\n{body}</opencv_storage>\n'


def _camera(place: Path, lens: Path, size_px: tuple[int, int]) -> Calibration:
    outside, inside = read_storage(place), read_storage(lens)
    for path, parts, names in (
        (place, outside, ("rvec", "tvec")), (lens, inside, ("camera_matrix", "distortion_coefficients")),
    ):  # fmt: skip
        missing = [name for name in names if name not in parts]
        if missing:
            raise FormatError(f"{path}: has no {missing[0]}; fetch the file again")
    try:
        return Calibration(
            place.stem.removeprefix("extr_"), *size_px, np.asarray(inside["camera_matrix"], float).reshape(3, 3),
            five([float(v) for v in np.ravel(inside["distortion_coefficients"])]),
            np.asarray(outside["rvec"], float).ravel(), np.asarray(outside["tvec"], float).ravel() * CM_M,
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        raise FormatError(f"{place}: {error}; fetch the files of this camera again") from error
