"""Simulated load cells beside the recorded ones of a real store."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sims.building import Building
from sims.lab.scale_facts import Facts, RecordingError, facts, read_recording, simulate, take
from sims.lab.scale_report import compare, document, draw
from tests.sims.playing import ROOT

NANOSTORE = Path(os.environ.get("SMARTSTORE_NANOSTORE", ROOT / "../shared/nanostore"))
SEEDS = range(350, 356)
"""The simulation was shaped on seeds 0 to 5 and 300 to 345."""


@pytest.fixture(scope="module")
def simulated(corner: Building) -> Facts:
    return simulate(corner, SEEDS)


def test_simulated_cells_have_the_quantiles_that_were_published_of_real_ones(simulated: Facts) -> None:
    rows = compare(simulated, None)
    assert len(rows) >= 12
    assert not [row for row in rows if not row.agrees]


def test_simulated_cells_agree_with_the_recording(simulated: Facts, tmp_path: Path) -> None:
    if not NANOSTORE.is_dir():
        pytest.skip(f"NO RECORDING AT {NANOSTORE}: set SMARTSTORE_NANOSTORE to compare with real load cells")
    recorded = read_recording(NANOSTORE)
    rows = compare(simulated, recorded)
    assert len(rows) >= 25
    assert not [row for row in rows if not row.agrees]
    draw(tmp_path / "scales.png", simulated, recorded)
    assert (tmp_path / "scales.png").stat().st_size > 20_000


def test_cells_three_times_as_noisy_do_not_agree(simulated: Facts) -> None:
    """The comparison can fail."""
    rows = compare(replace(simulated, noise={kind: 3 * grams for kind, grams in simulated.noise.items()}), None)
    assert {row.measure for row in rows if not row.agrees} >= {"noise, ordinary fixtures", "noise, noisy fixture"}
    assert document(rows, "published")["agreeing"] < len(rows)


def test_facts_are_those_of_a_fixture_made_by_hand() -> None:
    """Two shelves of three plates: one silent, one stuck, one of white noise of 2 g, one that loses 622 g."""
    random = np.random.default_rng(7)
    samples = np.round(random.normal(0, 2.0, (1020, 2, 3)) / 0.241) * 0.241
    samples[:, 0, 0] = np.nan
    samples[:, 0, 1] = 6067.416
    samples[600:, 1, 2] -= 622.0
    samples[594:600, 1, 2] += 40.0
    found = facts([samples[:590]], [3 * samples[:240]], [take(samples, 1, 2)])
    assert (found.silent, found.stuck) == (1, 1)
    assert found.noise["noisy"] == pytest.approx([2.0] * 4, rel=0.12)
    assert len(found.noise["ordinary"]) == 0
    assert np.abs(found.memory).max() < 0.2
    assert found.step_grams == pytest.approx(0.241)
    assert found.shaking == pytest.approx([3.0] * 4, rel=0.1)
    assert found.takes[0].push_grams == pytest.approx(40, abs=7)
    assert found.takes[0].lift_s <= 2 / 60 + 1e-9
    assert found.takes[0].neighbours.shape == (120, 2)


def test_a_damaged_recording_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(tmp_path)
    (tmp_path / "feeds/BENCHMARK-1").mkdir(parents=True)
    (tmp_path / "feeds/BENCHMARK-1/plate_data.json").write_text('{"a": 1}\n')
    with pytest.raises(RecordingError, match="is not the recording"):
        read_recording(tmp_path)
