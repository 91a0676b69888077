"""Tables in a pipe."""

import pytest
from rich.table import Table

from smartstore.console import print_whole


def test_no_number_is_cut_however_narrow_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    table = Table("fault", "exact receipts", "time to receipt p95, s", title="corner-rush")
    table.add_row("restart_broker", "+0.000", "-1234.567")
    print_whole(table)
    shown = capsys.readouterr().out
    assert all(cell in shown for cell in ("restart_broker", "exact receipts", "time to receipt p95, s", "-1234.567"))
