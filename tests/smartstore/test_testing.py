"""The pytest plugin, by the example that its users copy."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import smartstore.testing
from smartstore.site import Site, load_site
from tests.feeds import CORNER, record_visit

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parents[2] / "data/recordings/README.md"
EXAMPLE, SETTINGS = (
    "".join(re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[:1])
    for kind in ("python", "toml")
)


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(CORNER)


@pytest.fixture
def project(pytester: pytest.Pytester, site: Site) -> pytest.Pytester:
    """A retailer's project with the example of the guide, a recording and a store document."""
    pytester.makepyfile(test_my_store=EXAMPLE)
    stores = SETTINGS.replace("stores/mine.yaml", str(CORNER.resolve()))
    pytester.makepyprojecttoml(stores)
    feeds = pytester.mkdir("feeds")
    record_visit(feeds / "anna.mcap", site)
    return pytester


def ran(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """pytest as its user calls it."""
    return project.runpytest_inprocess("-q", "-p", "no:cacheprovider", *arguments)


def test_the_example_is_accepted_once_and_then_holds(project: pytest.Pytester) -> None:
    missing = ran(project)
    missing.assert_outcomes(passed=1, failed=1)
    missing.stdout.fnmatch_lines(["*anna.receipts.json to hold them against; pytest --update-golden*"])
    accepted = ran(project, "--update-golden")
    accepted.assert_outcomes(passed=2)
    accepted.stdout.fnmatch_lines(["*receipts written: *anna.receipts.json"])
    ran(project).assert_outcomes(passed=2)


def test_a_difference_names_visit_item_and_quantity(project: pytest.Pytester) -> None:
    ran(project, "--update-golden")
    golden = project.path / "feeds/anna.receipts.json"
    golden.write_text(golden.read_text().replace(': 1\n    },\n    "receipt"', ': 3\n    },\n    "receipt"'))
    changed = ran(project)
    changed.assert_outcomes(passed=1, failed=1)
    changed.stdout.fnmatch_lines(["*receipts of *anna.mcap differ:", "*visit anna: expected 3 × * (*), got 1"])
    assert "Traceback" not in changed.stdout.str()


DEVICES = """
from smartstore.bus.mqtt import MqttBus


def test_a_service_of_my_store_listens(smartstore_service, smartstore_site, smartstore_broker):
    assert smartstore_service.url == smartstore_broker
    with MqttBus(smartstore_broker) as bus:
        bus.subscribe(f"smartstore/v1/{smartstore_site.store}/sys/#")
        heard = {bus.receive(10).topic.rsplit("/", 1)[-1] for _ in range(2)}
    assert heard == {"status", "progress"}
"""


def test_devices_of_ones_own_find_a_service(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_devices=DEVICES)
    unnamed = ran(pytester)
    unnamed.assert_outcomes(errors=1)
    unnamed.stdout.fnmatch_lines(["*smartstore_store = stores/mine.yaml*"])
    pytester.makepyprojecttoml(SETTINGS.replace("stores/mine.yaml", str(CORNER)))
    ran(pytester).assert_outcomes(passed=1)


def test_the_plugin_is_found_by_its_entry_point() -> None:
    (found,) = (entry for entry in entry_points(group="pytest11") if entry.value == "smartstore.testing.plugin")
    assert found.load().__name__ == found.name, "named like its module, it cannot be registered twice"


def test_a_folder_without_recordings_is_no_passing_test(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no recordings"):
        smartstore.testing.recordings(tmp_path)
