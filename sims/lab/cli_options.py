"""What the command lines of the lab share."""

from enum import StrEnum

import typer


class Fidelity(StrEnum):
    """What the cameras send: rendered pictures, or what a smart camera makes of them."""

    frames = "frames"
    edge = "edge"


def seed_range(text: str, option: str = "--seeds") -> list[int]:
    """The seeds of a range like 1-10; anything else is an error that names the option."""
    first, dash, last = text.partition("-")
    if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(last or first) < int(first):
        raise typer.BadParameter(f"{text!r} is not a range of seeds; write for example 1-10", param_hint=option)
    return list(range(int(first), int(last or first) + 1))
