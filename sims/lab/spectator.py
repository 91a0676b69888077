"""What somebody sees of a run while it goes on.

In: the state of a run, as often as it likes. Out: a display on a terminal.
"""

from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


class Spectator:
    """A live display on stderr when that is a terminal, drawn a few times a second; silent otherwise."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, markup=False)
        self._live: Any = None
        self._screen = Screen(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._picture)

    def __enter__(self) -> Callable[[Any], None]:
        if self._console.is_terminal:
            self._screen.start()
        return self._see

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._screen.stop()

    def _see(self, live: Any) -> None:
        self._live = live

    def _picture(self) -> Group | Text:
        return Text("starting the store ...") if self._live is None else picture(self._live)


def picture(live: Any) -> Group:
    """What a run looks like at this moment."""
    factor = live.t_s / live.wall_s if live.wall_s else 0.0
    head = Text(
        f"{live.scenario} seed {live.seed}   event time {live.t_s:6.1f} s   inside {live.inside}   "
        f"{factor:.1f} x real time   doubts {live.cases}   renderer {live.renderer}"
    )
    table = Table("visit", "cart", "receipt", expand=True)
    for visit, lines in sorted(live.carts.items()):
        total = live.receipts.get(visit)
        table.add_row(visit[:8], lines or "-", "" if total is None else f"{total / 100:.2f}")
    return Group(head, ProgressBar(total=max(live.duration_s, live.t_s, 1.0), completed=live.t_s), table)
