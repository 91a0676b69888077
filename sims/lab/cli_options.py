"""What the command lines of the lab share."""

from enum import StrEnum

import typer


class Fidelity(StrEnum):
    """What the cameras send: rendered pictures, or what a smart camera makes of them."""

    frames = "frames"
    edge = "edge"


MOST_SEEDS, LONGEST = 10_000, 40
"""Seeds of a range, and characters that it is written with."""


def seed_range(text: str, option: str = "--seeds") -> list[int]:
    """The seeds of a range like 1-10; anything else is an error that names the option."""
    first, dash, last = text.partition("-")
    numbers = len(text) <= LONGEST and first.isdecimal() and (last.isdecimal() or not dash)
    if not numbers or int(last or first) < int(first):
        raise typer.BadParameter(
            f"{text[:LONGEST]!r} is not a range of seeds; write for example 1-10", param_hint=option
        )
    if int(last or first) - int(first) >= MOST_SEEDS:
        raise typer.BadParameter(f"{text!r} are more than {MOST_SEEDS} seeds; take fewer", param_hint=option)
    return list(range(int(first), int(last or first) + 1))
