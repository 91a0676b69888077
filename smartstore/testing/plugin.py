"""The pytest plugin: fixtures for a broker, a store and a replayed feed, and an assertion on receipts.

In: recordings, and files with their receipts beside them. Out: failures that say which visit differs in what.
Heavy parts are imported when a test asks for them: pytest loads this module in every project.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from smartstore.testing import GOLDEN

if TYPE_CHECKING:
    from smartstore.feed.replay import Replayed
    from smartstore.site import Site
    from smartstore.testing.served import ServedStore

UPDATE = "--update-golden"
_WRITTEN = pytest.StashKey[list[Path]]()


@dataclass(frozen=True, slots=True)
class ReplayedFeed:
    """What came of a recording: ``receipts`` as plain data in the order of exits, ``said`` all the rest."""

    feed: Path
    site: "Site"
    said: "Replayed"
    receipts: list[dict[str, Any]]

    @property
    def lines(self) -> list[dict[str, int]]:
        """Quantities by GTIN, a receipt each."""
        return [receipt["lines"] for receipt in self.receipts]


ReplayFeed = Callable[..., ReplayedFeed]
AssertReceipts = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden``, and the store document that ``smartstore_site`` is read from."""
    group = parser.getgroup("smartstore")
    group.addoption(UPDATE, action="store_true", help="accept the receipts that recordings give now")
    parser.addini("smartstore_store", "store document of the fixture smartstore_site", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Remembers which files were written anew."""
    config.stash[_WRITTEN] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Says which files were written anew."""
    for path in config.stash[_WRITTEN]:
        terminalreporter.write_line(f"receipts written: {path}")


@pytest.fixture(scope="session")
def smartstore_broker() -> Iterator[str]:
    """The address of an MQTT broker of the tests' own, reachable from this machine only."""
    from smartstore.bus.broker import EmbeddedBroker

    with EmbeddedBroker() as broker:
        yield broker.url


@pytest.fixture(scope="session")
def smartstore_site(pytestconfig: pytest.Config) -> "Site":
    """The store under test: the document that the setting ``smartstore_store`` names, relative to pytest's root."""
    from smartstore.site import load_site

    named = str(pytestconfig.getini("smartstore_store"))
    if not named:
        pytest.fail("name the store document in pytest's settings: smartstore_store = stores/mine.yaml", pytrace=False)
    return load_site(pytestconfig.rootpath / named)


@pytest.fixture
def smartstore_service(smartstore_broker: str, smartstore_site: "Site") -> Iterator["ServedStore"]:
    """A service of that store on that broker, which lets everybody in and forgets everything with the test."""
    from smartstore.testing.served import ServedStore

    with ServedStore(smartstore_site, smartstore_broker) as store:
        yield store


@pytest.fixture
def replay_feed() -> Iterator[ReplayFeed]:
    """``replay_feed(path, store=None, settings=None, part=…, faults=…, speed=None, broker=None)``."""
    from smartstore.testing.replaying import replayed_feed

    yield replayed_feed  # noqa: PT022 - the plugin must not import it before


@pytest.fixture
def assert_receipts(pytestconfig: pytest.Config) -> AssertReceipts:
    """``assert_receipts(replayed, expected=None)`` fails in words where receipts are not the expected ones.

    ``expected`` is a file of receipts (by default the recording's name with ``.receipts.json``), which
    ``--update-golden`` writes, or the lines of every receipt in the order of exits: ``[{"2000121504102": 2}]``.
    """

    def check(replayed: ReplayedFeed, expected: Path | Sequence[Mapping[str, int]] | None = None) -> None:
        if expected is None or isinstance(expected, Path):
            file = expected or replayed.feed.with_suffix(GOLDEN)
            if pytestconfig.getoption(UPDATE):
                _write(pytestconfig, file, replayed)
                return
            found = _against_file(file, replayed)
        else:
            found = _against_lines(expected, replayed)
        if found:
            pytest.fail("\n".join([f"receipts of {replayed.feed} differ:", *(f"  {line}" for line in found)]), False)

    return check


def _against_file(file: Path, replayed: ReplayedFeed) -> list[str]:
    from smartstore.feed.receipts import ReceiptsError, difference, read_receipts

    if not file.exists():
        return [f"there is no {file} to hold them against; pytest {UPDATE} accepts what the recording gives now"]
    try:
        expected = read_receipts(file)
    except ReceiptsError as error:
        return [str(error)]
    return difference(expected, replayed.receipts, _names(replayed))


def _against_lines(expected: Sequence[Mapping[str, int]], replayed: ReplayedFeed) -> list[str]:
    from smartstore.feed.receipts import difference

    names = [str(index) for index in range(1, max(len(expected), len(replayed.lines)) + 1)]
    before = [{"visit": name, "lines": dict(lines)} for name, lines in zip(names, expected, strict=False)]
    after = [{"visit": name, "lines": lines} for name, lines in zip(names, replayed.lines, strict=False)]
    return difference(before, after, _names(replayed))


def _names(replayed: ReplayedFeed) -> dict[str, str]:
    return {sku: item.name for sku, item in replayed.site.items.items()}


def _write(config: pytest.Config, file: Path, replayed: ReplayedFeed) -> None:
    from smartstore.feed.receipts import receipts_text

    text = receipts_text(replayed.receipts)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")
        config.stash[_WRITTEN].append(file)
