"""``smartstore sim report``: a run or a sweep as one HTML file that can be forwarded, printed and read on a phone.

In: the folder of a run or of a sweep. Out: one file with everything in it, at most five megabytes; it asks nobody for
anything. Numbers are tables, pictures are pictures with words for those who do not see them.
"""

from collections.abc import Callable
from pathlib import Path

from sims.lab.cost import load_prices
from sims.lab.explain_run import read_run
from sims.lab.report_page import write
from sims.lab.report_run import run_page
from sims.lab.report_sweep import sweep_page
from sims.lab.sweep import RESULTS


def report(
    folder: Path, out: Path | None = None, store: Path | None = None, prices: Path | None = None,
    settings: Path | None = None, watch: Callable[[str], None] = lambda _: None,
) -> Path:  # fmt: skip
    """Write the report of a folder and return its file.

    Raises:
        EditError, ExplainError, SweepError, PriceError: there is nothing to report on, or no room for it.
    """
    if (folder / RESULTS).is_file():
        page = sweep_page(folder, load_prices(prices) if prices else None, watch)
    else:
        page = run_page(read_run(folder, store), load_prices(prices), settings, watch)
    file = out or folder / "report.html"
    write(file, page)
    return file
