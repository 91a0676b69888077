"""Calibrations as OpenCV's ``FileStorage`` writes them, YAML or XML: one file per camera.

In: ``camera_matrix``, ``distortion_coefficients``, ``image_width`` and ``image_height``, and where the camera hangs:
``rvec`` and ``tvec``, or ``R`` and ``T`` (world to camera, metres). Out: the same in YAML.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from smartstore.formats.cameras import Array, Calibration, five, rodrigues_vector
from smartstore.formats.text import FormatError, read_text

_NAMES = {
    "camera_matrix": ("camera_matrix", "K", "cameraMatrix", "Camera_Matrix"),
    "distortion": ("distortion_coefficients", "dist_coeffs", "D", "distCoeffs", "Distortion_Coefficients"),
    "turn": ("rvec", "rotation_vector", "R", "rotation_matrix"),
    "place": ("tvec", "T", "translation_vector", "t"),
}  # fmt: skip


class _Loader(yaml.SafeLoader):
    """YAML with OpenCV's matrices."""


def _matrix(loader: yaml.SafeLoader, node: yaml.MappingNode) -> Array:
    """A matrix of rows and columns, or of any sizes, as OpenCV 5 writes vectors."""
    found = loader.construct_mapping(node, deep=True)
    sizes = found["sizes"] if "sizes" in found else (found["rows"], found["cols"])
    return np.array(found["data"], float).reshape([int(size) for size in np.ravel(sizes)])


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _matrix)
_Loader.add_constructor("tag:yaml.org,2002:opencv-nd-matrix", _matrix)


def read_storage(path: Path) -> dict[str, Any]:
    """The top level of a ``FileStorage`` file: matrices as arrays, the rest as it is.

    Raises:
        FormatError: it is none.
    """
    text = read_text(path)
    try:
        found = _xml(text) if text.lstrip().startswith("<") else yaml.load(_plain(text), _Loader)
    except (
        yaml.YAMLError,
        ElementTree.ParseError,
        ValueError,
        KeyError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise FormatError(f"{path}: is not a file of OpenCV's FileStorage ({_line(error)})") from error
    if not isinstance(found, dict):
        raise FormatError(f"{path}: is not a file of OpenCV's FileStorage (nothing has a name in it)")
    return found


def read_opencv(path: Path) -> Calibration:
    """One camera, named like its file.

    Raises:
        FormatError: the file cannot be read, or something is missing in it.
    """
    found = read_storage(path)
    try:
        turn = np.asarray(_named(found, "turn"), float)
        rvec = rodrigues_vector(turn) if turn.size == 9 else turn.ravel()
        size = [int(found[name]) for name in ("image_width", "image_height")]
        k = np.asarray(_named(found, "camera_matrix"), float).reshape(3, 3)
        distortion = five([float(v) for v in np.ravel(_named(found, "distortion"))])
        place = np.asarray(_named(found, "place"), float).ravel()
        return Calibration(path.stem, size[0], size[1], k, distortion, rvec, place)
    except KeyError as error:
        raise FormatError(f"{path}: has no {error.args[0]}; write it with the calibration") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{path}: {_line(error)}") from error


def opencv_yaml(found: Calibration) -> str:
    """The camera as a YAML file of OpenCV's."""
    parts = {
        "camera_matrix": found.k, "distortion_coefficients": found.distortion.reshape(5, 1),
        "rvec": found.rvec.reshape(3, 1), "tvec": found.tvec_m.reshape(3, 1),
    }  # fmt: skip
    head = f"%YAML:1.0\n---\nimage_width: {found.width_px}\nimage_height: {found.height_px}\n"
    return head + "".join(_written(name, matrix) for name, matrix in parts.items())


def _written(name: str, matrix: Array) -> str:
    rows, cols = matrix.shape
    data = ", ".join(repr(float(value)) for value in matrix.ravel())
    return f"{name}: !!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: d\n   data: [ {data} ]\n"


def _plain(text: str) -> str:
    """OpenCV writes a directive that YAML itself does not know."""
    return re.sub(r"\A%YAML:1\.0\s*?\n(---\s*?\n)?", "", text)


def _xml(text: str) -> dict[str, Any]:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("it has a document type, which no calibration needs")
    root = ElementTree.fromstring(text)
    if root.tag != "opencv_storage":
        raise ValueError("its root is not opencv_storage")
    return {part.tag: _value(part) for part in root}


def _value(part: ElementTree.Element) -> Any:
    data = part.find("data")
    if data is not None:
        sizes = part.findtext("sizes") or f"{part.findtext('rows', '0')} {part.findtext('cols', '0')}"
        return np.array((data.text or "").split(), float).reshape([int(size) for size in sizes.split()])
    words = (part.text or "").split()
    try:
        return np.array(words, float) if len(words) > 1 else float(words[0])
    except (ValueError, IndexError):
        return " ".join(words)


def _named(found: Mapping[str, Any], what: str) -> Any:
    for name in _NAMES[what]:
        if name in found:
            return found[name]
    raise KeyError(_NAMES[what][0])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
