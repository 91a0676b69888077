"""``smartstore sim gauntlet``: every failure that the field knows as a family of scenarios, played and counted.

In: families, seeds and what the product has to do without. Out: the figures of every case, kept one file each with its
scenario beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sims.lab.batch import Progress, Result, run_all
from sims.lab.families import families_named
from sims.lab.gauntlet_play import Case, Fidelity, Mode, Without

OUT = Path("data/runs/gauntlet")


@dataclass(frozen=True, slots=True)
class GauntletRequest:
    """What to play. ``resume`` keeps the results that are in ``out`` and belong to the same stories."""

    seeds: Sequence[int]
    only: Sequence[str] = ()
    fidelity: Fidelity = "edge"
    mode: Mode = "both"
    without: Without | None = None
    noise: float = 1.0
    workers: int = 1
    out: Path | None = None
    resume: bool = False
    looks: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the results are kept."""
        names: list[str] = [self.fidelity, *([self.mode] if self.mode != "both" else [])]
        names += [f"noise-{self.noise:g}"] if self.noise != 1.0 else []
        return self.out or OUT / "-".join([*names, *([f"without-{self.without}"] if self.without else [])])

    @property
    def title(self) -> str:
        """What is played, in words."""
        first, last = self.seeds[0], self.seeds[-1]
        parts = ["gauntlet", self.fidelity, f"seeds {first}-{last}" if last > first else f"seed {first}"]
        parts += [f"{self.mode} only"] if self.mode != "both" else []
        parts += [f"errors times {self.noise:g}"] if self.noise != 1.0 else []
        return ", ".join(parts + ([f"without {self.without}"] if self.without else []))

    def cases(self) -> list[Case]:
        """All cases, seed by seed, so that an interrupted gauntlet has something of every family."""
        families = families_named(self.only)
        return [
            Case(f.name, seed, self.mode, self.without, self.fidelity, self.noise, self.looks)
            for seed in self.seeds
            for f in families
        ]


def gauntlet(request: GauntletRequest, watch: Callable[[Progress], None] = lambda _: None) -> list[Result]:
    """The results of all cases, in their order.

    Raises:
        FamilyError, BatchError, SettingsError, and whatever a run raises; each is one line.
    """
    return run_all(request.cases(), request.folder, request.workers, request.resume, watch)
