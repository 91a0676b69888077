"""Tests of a store against recorded feeds, for pytest.

A test names a recording, plays it to the pipeline and holds the receipts against those that were right before::

    import pytest
    from smartstore.testing import recordings

    @pytest.mark.parametrize("feed", recordings("tests/feeds"), ids=lambda feed: feed.stem)
    def test_receipts_stay_right(feed, replay_feed, assert_receipts):
        assert_receipts(replay_feed(feed))

``pytest --update-golden`` accepts what the recordings give now. The fixtures are those of
:mod:`smartstore.testing.plugin`, which pytest finds by itself wherever this package is installed.
"""

from pathlib import Path

GOLDEN = ".receipts.json"
"""How the file with the expected receipts ends, beside its recording."""


def recordings(folder: str | Path) -> list[Path]:
    """All recordings in a folder, by name.

    Raises:
        ValueError: there is none, so that a test over them would test nothing.
    """
    found = sorted(Path(folder).glob("*.mcap"))
    if not found:
        raise ValueError(f"there are no recordings (*.mcap) in {Path(folder).absolute()}")
    return found
