"""Simulated load cells beside the recorded ones of a real store."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from sims.building import Building, BuildingError, load_building
from sims.devices.cells import Restlessness
from sims.flaws import LoadCells
from sims.lab.scale_facts import Facts, RecordingError, facts, read_recording, simulate, take
from sims.lab.scale_report import compare, document, draw, report
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
    assert {row.measure for row in rows if not row.agrees} == {"noise, ordinary fixtures", "noise, noisy fixture"}
    assert document(rows, "published")["agreeing"] < len(rows)


@pytest.mark.parametrize(
    ("factor", "differ"),
    [
        pytest.param(0.0, {"noise, ordinary fixtures", "quantisation step"}, id="no noise at all"),
        pytest.param(0.5, {"noise, ordinary fixtures"}, id="half as much"),
        pytest.param(2.0, {"noise, ordinary fixtures"}, id="twice as much"),
    ],
)
def test_cells_that_rest_otherwise_are_told_apart(
    corner: Building, monkeypatch: pytest.MonkeyPatch, factor: float, differ: set[str]
) -> None:
    batch = Restlessness.batch
    monkeypatch.setattr(Restlessness, "batch", lambda self, t_s: factor * batch(self, t_s))
    assert {row.measure for row in compare(simulate(corner, SEEDS[:2]), None) if not row.agrees} >= differ


def test_a_floor_that_passes_no_steps_on_is_told_apart(corner: Building) -> None:
    solid = simulate(corner, SEEDS[:2], LoadCells(footfalls=0.0))
    assert {row.measure for row in compare(solid, None) if not row.agrees} == {"shaking by steps, times noise"}


@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_drift_that_is_missing_or_too_large_is_told_apart(simulated: Facts, factor: float) -> None:
    rows = compare(replace(simulated, drift={kind: factor * grams for kind, grams in simulated.drift.items()}), None)
    assert {"drift in 17 s, ordinary fixtures"} <= {row.measure for row in rows if not row.agrees}


def test_shelves_need_not_have_the_same_number_of_plates() -> None:
    found = simulate(load_building(ROOT / "configs/stores/kiosk.yaml"), [1])
    assert len(found.takes) == 5
    assert found.silent > 0
    assert len(found.noise["ordinary"]) + len(found.noise["noisy"]) > 50


def test_a_store_without_load_cells_is_one_line(tmp_path: Path) -> None:
    document = yaml.safe_load((ROOT / "configs/stores/corner.yaml").read_text())
    document["catalogue"] = str(ROOT / "data/catalogues/corner.yaml")
    document["fixtures"] = [fixture | {"scale": None} for fixture in document["fixtures"]]
    (tmp_path / "store.yaml").write_text(yaml.dump(document))
    with pytest.raises(BuildingError, match=r"store\.yaml: no fixture has load cells; give another store"):
        report(tmp_path / "store.yaml", None, [1], tmp_path / "out")


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
