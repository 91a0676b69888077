"""Whatever document cannot be read is one line, from every reader of documents of the building."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sims.building import BuildingError, load_building
from sims.devices.edge_model import EdgeModelError, load_edge_model
from sims.scenario import ScenarioError, load_scenario


@pytest.mark.parametrize(
    ("load", "error"),
    [(load_building, BuildingError), (load_scenario, ScenarioError), (load_edge_model, EdgeModelError)],
    ids=["store", "scenario", "edge model"],
)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"\xff\xfe\x00", "cannot be read (not UTF-8 text)"),
        (b"a: [", "not YAML (while parsing a flow"),
        (b"a: \x01", "not YAML ("),
        (b"a: 2026-13-01", "not YAML (month must be"),
        (b"- 1", "not a document with keys; compare with configs/"),
        (b"", "not a document with keys; compare with configs/"),
    ],
    ids=["missing", "not utf-8", "not yaml", "control character", "no date", "a list", "empty"],
)
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, load: Callable[[Path], object], error: type[Exception], content: bytes | None, says: str
) -> None:
    path = tmp_path / "document.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert "\n" not in str(caught.value)
