"""Documents of faults: what goes wrong, where, when and how often.

In: a YAML document (schema 1). Out: a frozen :class:`FaultPlan`, or a :class:`FaultsError` of one line that names the
file and the key. Times are seconds of event time since the first packet.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from smartstore.wire import topics

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0, le=1_000_000.0)]


class FaultsError(Exception):
    """A document of faults that cannot be used; one line: file, key and what to do."""


def _overlaps(pattern: str, channel: topics.Channel) -> bool:
    """Whether some topic of a channel is covered by a filter below the root of the store."""
    wanted, levels = pattern.split("/"), channel.pattern.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return index == len(wanted) - 1
        if index >= len(levels) or not (part in ("+", levels[index]) or levels[index].startswith("{")):
            return False
    return len(wanted) == len(levels)


def _known(pattern: str) -> str:
    if not any(_overlaps(pattern, channel) for channel in topics.CHANNELS):
        known = ", ".join(channel.filter("").removeprefix(f"{topics.ROOT}//") for channel in topics.CHANNELS)
        raise ValueError(f"{pattern!r} covers no topic; topics below the store are {known}")
    return pattern


Pattern = Annotated[str, AfterValidator(_known)]


class Part(BaseModel):
    """A part of the document: unknown keys are errors, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Window(Part):
    """A fault goes from ``from_s`` up to ``to_s``; without ``to_s`` to the end."""

    from_s: Seconds = 0.0
    to_s: Seconds | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError(f"to_s {self.to_s:g} is not after from_s {self.from_s:g}")
        return self


class Fault(Window):
    """What all faults on packets share: ``topics`` are filters below the store's root, + one level, # the rest."""

    topics: Annotated[tuple[Pattern, ...], Field(min_length=1)]


class Drop(Fault):
    """Packets never arrive."""

    fault: Literal["drop"]
    share: Share


class Delay(Fault):
    """Packets arrive ``seconds`` late, and up to ``spread_s`` more; those of a topic keep their order."""

    fault: Literal["delay"]
    seconds: Seconds
    spread_s: Seconds = 0.0
    share: Share = 1.0


class Reorder(Fault):
    """Packets are held back by up to ``within_s``, and others of their topic overtake them."""

    fault: Literal["reorder"]
    within_s: Annotated[float, Field(gt=0.0, le=1_000_000.0)]
    share: Share = 1.0


class Duplicate(Fault):
    """Packets come twice, the second time up to ``within_s`` later."""

    fault: Literal["duplicate"]
    share: Share
    within_s: Seconds = 0.0


class Freeze(Fault):
    """Devices go on sending, with new numbers and times, what they said last: a stuck picture, stuck weights."""

    fault: Literal["freeze"]


class Truncate(Fault):
    """Payloads end early: a random part of them arrives."""

    fault: Literal["truncate"]
    share: Share


class Corrupt(Fault):
    """``count`` bytes of a payload are random."""

    fault: Literal["corrupt"]
    share: Share
    count: Annotated[int, Field(ge=1, le=10_000)] = 4


class Skew(Fault):
    """Clocks of devices are off by ``offset_s``, and run away by ``drift_ppm`` millionths."""

    fault: Literal["skew"]
    offset_s: Annotated[float, Field(ge=-1_000_000.0, le=1_000_000.0)] = 0.0
    drift_ppm: Annotated[float, Field(ge=-100_000.0, le=100_000.0)] = 0.0


class NanPlates(Fault):
    """Plates of scales give no numbers; ``plates`` are their ids, without them all of a fixture."""

    fault: Literal["nan_plates"]
    topics: Annotated[tuple[Pattern, ...], Field(min_length=1)] = ("data/scale/+",)
    plates: tuple[str, ...] = ()
    share: Share = 1.0


class Kill(Window):
    """Devices are gone for a while, or for good: the broker says so with their last will."""

    fault: Literal["kill"]
    devices: Annotated[tuple[str, ...], Field(min_length=1)]


class Restart(Part):
    """Something goes down at ``at_s`` and is back ``down_s`` later."""

    at_s: Seconds
    down_s: Annotated[float, Field(ge=0.0, le=600.0)] = 1.0


class RestartBroker(Restart):
    """The broker ends, with all that it kept; devices keep what must not be lost until it is back."""

    fault: Literal["restart_broker"]


class RestartService(Restart):
    """The service is killed, whatever it does just then, and started again."""

    fault: Literal["restart_service"]


OnPackets = Drop | Delay | Reorder | Duplicate | Freeze | Truncate | Corrupt | Skew | NanPlates | Kill
AnyFault = OnPackets | RestartBroker | RestartService


class FaultPlan(Part):
    """A whole document. Faults act on a packet in the order in which they stand here."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    faults: Annotated[tuple[Annotated[AnyFault, Field(discriminator="fault")], ...], Field(min_length=1)]

    @property
    def named(self) -> dict[str, AnyFault]:
        """The faults by a name of their own: their kind, with a number where there are several of it."""
        kinds = Counter(fault.fault for fault in self.faults)
        seen: Counter[str] = Counter()
        named: dict[str, AnyFault] = {}
        for fault in self.faults:
            seen[fault.fault] += 1
            named[f"{fault.fault}-{seen[fault.fault]}" if kinds[fault.fault] > 1 else fault.fault] = fault
        return named

    def only(self, name: str) -> "FaultPlan":
        """The same document with one of its faults alone."""
        return self.model_copy(update={"faults": (self.named[name],)})

    @property
    def killed(self) -> frozenset[str]:
        """Devices that are killed at some time."""
        return frozenset(name for fault in self.faults if isinstance(fault, Kill) for name in fault.devices)


def load_faults(path: Path) -> FaultPlan:
    """The document at ``path``.

    Raises:
        FaultsError: it cannot be read, is no such document, or has an unknown key or an impossible value.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FaultsError(f"{path}: cannot be read ({error.strerror}); give another file with --faults") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a date that is none
        raise FaultsError(f"{path}: is not YAML; see configs/faults for examples") from error
    try:
        return FaultPlan.model_validate(data)
    except ValidationError as error:
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"]) or "the whole file"
        raise FaultsError(f"{path}: {place}: {_said(found)}; see configs/faults for examples") from error


def _said(found: Any) -> str:
    message = str(found["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def faults_schema() -> dict[str, Any]:
    """The JSON Schema of a document, for editors."""
    return FaultPlan.model_json_schema(by_alias=True)
