"""The README says what is: its table is the channel table, its commands and files exist."""

import re
import shlex
from pathlib import Path

import pytest

from smartstore.cli import run
from smartstore.wire.asyncapi import channels_markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.strip() and not line.startswith("#")
]
INLINE = [" ".join(code.split()) for code in re.findall(r"`(smartstore [^`]+)`", README)]


def test_the_channel_table_is_the_one_of_the_code() -> None:
    shown = re.search(r"<!-- channels: .*? -->\n(.*?)<!-- /channels -->", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == channels_markdown(), "put the output of smartstore.wire.asyncapi.channels_markdown() there"


def test_files_that_are_named_exist() -> None:
    named = re.findall(r"\]\(([^)#:]+)\)|`((?:configs|data|tests|smartstore|sims)/[\w./-]+)`", README)
    paths = [link or code for link, code in named]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_are_shown_name_what_there_is(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in words[1:]:
        if word.startswith(("configs/", "tests/")):
            assert (ROOT / word).exists(), word


@pytest.mark.parametrize("command", sorted({*INLINE, *(c for c in COMMANDS if not c.startswith("make "))}))
def test_commands_that_are_shown_have_the_options_that_are_shown(command: str) -> None:
    _, *words = shlex.split(command.replace("--db …", "--db FILE").replace("…", ""))
    assert run([*words, "--help"]) == 0  # an option or a command that does not exist is said before the help
