"""What was heard is on disk before anything follows from it, and is read back as it was, whatever a crash cut off."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstore.ledger.inputs import Entry, InputLog
from smartstore.ledger.journal import JournalError
from smartstore.wire.codec import JPEG, Packet

GATE = Packet("smartstore/v1/corner/event/gate/exit", b'{"seq": 1}', qos=1)
FRAME = Packet("smartstore/v1/corner/data/camera/c1/frame", b"\xff\xd8\x00\x01", JPEG, {"t_ns": "5", "seq": "1"})
HEARD: list[Entry] = [GATE, "hold", FRAME, GATE, "release"]


def recovered(folder: Path, program: str = "p1") -> tuple[bytes | None, list[Entry]]:
    with InputLog(folder, program) as log:
        return log.recover()


def heard(folder: Path, entries: list[Entry], state: bytes | None = None) -> None:
    with InputLog(folder, "p1") as log:
        log.recover()
        if state is not None:
            log.keep(state)
        for entry in entries:
            log.write(entry)


def test_what_was_heard_is_read_back_in_its_order(tmp_path: Path) -> None:
    heard(tmp_path / "state", HEARD)
    assert recovered(tmp_path / "state") == (None, HEARD)
    heard(tmp_path / "state", [GATE])
    assert recovered(tmp_path / "state") == (None, [*HEARD, GATE])


def test_a_state_makes_what_came_before_it_unnecessary(tmp_path: Path) -> None:
    heard(tmp_path, HEARD)
    heard(tmp_path, [GATE], state=b"all so far")
    assert recovered(tmp_path) == (b"all so far", [GATE])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inputs-1", "lock", "state-1"]


@given(st.integers(1, 200))
def test_a_torn_end_costs_only_the_record_that_it_tore(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("torn")
    heard(folder, HEARD)
    file = folder / "inputs-0"
    whole = file.read_bytes()
    file.write_bytes(whole[: max(0, len(whole) - cut)])
    _, found = recovered(folder)
    assert found == HEARD[: len(found)]
    heard(folder, [FRAME])
    assert recovered(folder)[1] == [*found, FRAME], "what comes after is read as well"


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 200])
def test_a_damaged_state_is_no_state(tmp_path: Path, damage: bytes) -> None:
    heard(tmp_path, [GATE], state=b"all so far")
    (tmp_path / "state-1").write_bytes(damage)
    assert recovered(tmp_path) == (None, [GATE])


def test_another_programs_state_is_left_alone_and_what_was_heard_is_not(tmp_path: Path) -> None:
    heard(tmp_path, [GATE], state=b"all so far")
    assert recovered(tmp_path, "p2") == (None, [GATE])
    assert recovered(tmp_path, "p1") == (b"all so far", [GATE])


def test_a_state_that_was_being_written_does_not_count(tmp_path: Path) -> None:
    heard(tmp_path, HEARD)
    (tmp_path / "state.partial").write_bytes(b"half a st")
    (tmp_path / "inputs-1").write_bytes(b"")
    assert recovered(tmp_path) == (None, HEARD)


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    with InputLog(tmp_path, "p1"), pytest.raises(JournalError, match=r"another service works here; .* another --state"):
        InputLog(tmp_path, "p1").__enter__()


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"file/state: not a directory; what is heard cannot be kept"):
        InputLog(tmp_path / "file" / "state", "p1").__enter__()
