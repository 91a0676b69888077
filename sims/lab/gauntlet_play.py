"""One case of the gauntlet: a family, a seed and what the product has to do without.

In: a :class:`Case`. Out: its figures, most as counts that add up over cases. With smart cameras the building, the
product and the baseline run in this process, without a broker; with pictures a vision worker looks at them there, too.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from sims.lab.batch import Result
from sims.lab.families import FAMILIES
from sims.lab.families.stage import STORES
from sims.lab.floor import floor_metrics
from sims.lab.looking import looks_key
from sims.lab.play import Played, building_of, play_edge, play_frames, site_of
from sims.lab.reviewed import after_review, bookings, runner_up
from sims.lab.score import booked_lines, exact_rate, item_scores, money_amounts, receipt_lines, within
from sims.scenario import Scenario
from smartstore.settings import parse_settings

Fidelity = Literal["edge", "frames"]
Mode = Literal["both", "weights", "cameras"]
Without = Literal["weight", "shelf-cameras", "reach", "planogram", "living-planogram", "joint"]

DEVICES_OFF: Mapping[Mode, Without | None] = {"both": None, "weights": "shelf-cameras", "cameras": "weight"}
SWITCHES: Mapping[Without, Mapping[str, Any]] = {
    "reach": {"evidence": {"hand_hit": 0.0, "body_sigma_m": 1e6}},
    "planogram": {"planogram": {"known": False, "living": False}},
    "living-planogram": {"planogram": {"living": False}},
    "joint": {"attribution": {"joint": False}},
}
"""What leaves a source of evidence out, as settings of the product; devices are simply off."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the gauntlet."""

    family: str
    seed: int
    mode: Mode = "both"
    without: Without | None = None
    fidelity: Fidelity = "edge"
    noise: float = 1.0
    """How much larger the errors of scales and smart cameras are than usual."""
    looks: Path | None = None
    """With pictures: what networks saw of a story is kept in this folder, and heard again by whom it concerns."""

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.family}-{self.seed}"

    @property
    def store(self) -> Path:
        """The store document that it plays in."""
        return STORES / f"{FAMILIES[self.family].store(self.seed)}.yaml"

    def scenario(self) -> Scenario:
        """What is played, with the devices off that the product has to do without."""
        building = building_of(self.store)
        scenario = FAMILIES[self.family].scenario(building, self.seed)
        off: dict[str, tuple[str, ...]] = {}
        if "weight" in (self.without, DEVICES_OFF[self.mode]):
            off["scales_off"] = tuple(f.id for f in building.fixtures.values() if f.scale and f.shelves)
        if "shelf-cameras" in (self.without, DEVICES_OFF[self.mode]):
            dark = {camera.id for camera in building.cameras.values() if camera.kind == "shelf"}
            off["cameras_off"] = tuple(sorted(dark | set(scenario.cameras_off)))
        cells = scenario.load_cells.model_copy(update={"noise": scenario.load_cells.noise * self.noise})
        errors = {"edge_errors": scenario.edge_errors * self.noise, "load_cells": cells} if self.noise != 1.0 else {}
        return scenario.model_copy(update=off | errors)

    def document(self) -> str:
        """The scenario as a document, which `smartstore sim run` plays in the same way."""
        keys = self.scenario().model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return yaml.safe_dump({"schema": 1, **keys}, sort_keys=False, allow_unicode=True)

    @property
    def switches(self) -> Mapping[str, Any]:
        """Settings of the product that leave a source of evidence out; empty where a device is off, or nothing."""
        return SWITCHES.get(self.without, {}) if self.without else {}

    def digest(self) -> str:
        """Changes with the story and with what is left out; not with the program."""
        told = f"{self.mode}|{self.without}|{self.fidelity}|{self.document()}|{self.store.read_text()}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def play(self) -> Result:
        """Play it and count what was right."""
        started = time.monotonic()
        settings = parse_settings(self.switches, f"--without {self.without}")
        scenario, store = self.scenario(), self.store
        if self.fidelity == "frames":
            kept_in = self.looks and self.looks / f"{self.name}-{looks_key(scenario, self.seed)}"
            played = play_frames(scenario, store, self.seed, settings, baseline=True, kept_in=kept_in)
        else:
            played = play_edge(scenario, store, self.seed, settings, baseline=True)
        return {
            "family": self.family, "seed": self.seed, "store": self.store.stem, "mode": self.mode,
            "without": self.without, "fidelity": self.fidelity, "noise": self.noise, **figures(played, self.store),
            "wall_s": round(time.monotonic() - started, 2),
        }  # fmt: skip


def figures(played: Played, store: Path) -> Result:
    """Counts and shares of one run. ``unsold`` is of receipts as they are, where doubtful items are left off; the
    others are of those that come of settling every case right."""
    site, building, truth, said = site_of(store), building_of(store), played.truth, played.said
    due = {visit.visit: dict(visit.lines) for visit in truth.visits}
    billed = {visit: receipt_lines(receipt) for visit, receipt in said.receipts.items()}
    shelf_of = {facing.id: facing.shelf for facing in site.facings.values()}
    booked = {visit: booked_lines(receipt) for visit, receipt in said.receipts.items()}
    reviewed = after_review(booked, truth.changes, said.changes, shelf_of, truth.hand_overs, said.of_two, truth.drops)
    prices = {sku: item.price_minor for sku, item in site.items.items()}
    over, under, value = money_amounts(due, billed, prices)
    doubts = sum(change.kind == "doubt" for _, change in said.changes)
    judged = bookings(truth.changes, said.changes, truth.hand_overs)
    carts = None
    if played.baseline is not None:
        carts = {visit: {s: n for s, n in cart.items() if n > 0} for visit, cart in played.baseline.items()}
        carts |= {visit: {} for visit in due if visit not in carts}
    return {
        "visits": len(due), "sales": sum(sum(lines.values()) for lines in due.values()),
        "receipts": len(billed), "changes": max(len(said.changes), len(truth.changes)), "doubts": doubts,
        "f1": item_scores(due, reviewed)[2], "exact": round(exact_rate(due, reviewed) * len(due)),
        "f1_unsold": item_scores(due, billed)[2], "exact_unsold": round(exact_rate(due, billed) * len(due)),
        "due_minor": value, "over_minor": over, "under_minor": under,
        "runner_up": round(runner_up(judged), 4),
        "booked": [(round(sure, 5), right) for sure, right in judged],
        "idf1": floor_metrics(truth.positions, within(building.walls_m, said.floor))["idf1"],
        "baseline_f1": None if carts is None else item_scores(due, carts)[2],
        "baseline_exact": None if carts is None else round(exact_rate(due, carts) * len(due)),
    }  # fmt: skip
