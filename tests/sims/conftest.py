"""The corner store, its people and pictures, and two runs in it: shared by tests of the building."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from sims.bodies.library import BodyLibrary
from sims.building import Building, load_building
from sims.devices.look import Look
from sims.devices.renderer import Renderer, RendererError
from sims.scenario import Scenario, load_scenario
from tests.sims.playing import ROOT, SCENARIOS, Played, play


@pytest.fixture(scope="session")
def corner() -> Building:
    return load_building(ROOT / "configs/stores/corner.yaml")


@pytest.fixture(scope="session")
def library() -> BodyLibrary:
    return BodyLibrary.load()


@pytest.fixture(scope="module")
def renderer(corner: Building, library: BodyLibrary) -> Iterator[Renderer]:
    try:
        made = Renderer(corner, Look.shipped(), library)
    except RendererError as error:
        pytest.skip(f"NO RENDERER ON THIS MACHINE, PICTURES ARE NOT TESTED: {error}")
    yield made
    made.close()


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[Mapping[str, object]], Scenario]:
    """A scenario in the corner store from its keys."""

    def make(keys: Mapping[str, object]) -> Scenario:
        document = {"schema": 1, "scenario": "story", "store": str(ROOT / "configs/stores/corner.yaml"), **keys}
        path = tmp_path / "story.yaml"
        path.write_text(yaml.safe_dump(document))
        return load_scenario(path)

    return make


@pytest.fixture(scope="session")
def quiet(corner: Building, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """corner-quiet, seed 1."""
    return play(corner, load_scenario(SCENARIOS / "corner-quiet.yaml"), tmp_path_factory.mktemp("quiet"), seed=1)


@pytest.fixture(scope="session")
def rush(corner: Building, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """corner-rush, seed 2."""
    return play(corner, load_scenario(SCENARIOS / "corner-rush.yaml"), tmp_path_factory.mktemp("rush"), seed=2)
