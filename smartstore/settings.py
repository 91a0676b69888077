"""All options in one place: ``configs/pipeline.yaml`` in, the frozen options of every stage out.

Each stage defines its own small options with their defaults; here they are only gathered under a name. A key that no
stage knows is an error that names the key and the file.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic import Field as PydanticField

from smartstore.fusion.options import FusionOptions
from smartstore.fusion.policy import PolicyOptions
from smartstore.fusion.visits import VisitOptions
from smartstore.ledger.settlement import SettlementOptions
from smartstore.payment.gateway import StubOptions
from smartstore.scales.candidates import CandidateOptions
from smartstore.scales.steps import StepOptions
from smartstore.vision.batching import BatchOptions
from smartstore.vision.movement import MovementOptions

Options = TypeVar("Options")

LEARNED = Path(__file__).resolve().parents[1] / "configs/learned.yaml"


class SettingsError(Exception):
    """A settings file that cannot be used; one line per problem, each with the file and the key."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")


@dataclass(frozen=True, slots=True)
class TimingOptions:
    """When the pipeline stops waiting, in seconds of event time."""

    lateness_s: float = 0.5
    """How late a message may arrive after newer ones of other devices."""
    settle_s: float = 4.5
    """From the exit to the decision that nothing more can concern the visit."""
    settle_most_s: float = 20.0
    """A visit never waits longer than this for something doubtful."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How the service talks. Event time for what depends on messages, wall time for what does not."""

    progress_s: float = 0.25
    """Progress is published this often, in event time, while messages keep coming."""
    floor_s: float = 0.2
    """Positions of everybody are published this often, in event time."""
    idle_s: float = 0.02
    """So long without a message (wall time), and the service says how far it is."""
    most_per_s: int = 2000
    """A device may say so much on a channel in a second of event time; what comes beyond is dropped and counted."""
    verdicts_s: float = 0.5
    """The journal is asked this often (wall time) for what people decided in review cases."""
    payments_s: float = 5.0
    """The payment provider is asked this often (wall time) for what it did not answer, and for disputes."""
    keep_state_s: float = 20.0
    """The state is kept this often, in event time: so much is heard again after a crash."""
    listen_s: float = 3.0
    """After a break devices have so long (wall time) to say that they can send again what was missed."""
    catch_up_s: float = 30.0
    """Those that can have so long (wall time) to do so."""
    database_s: float = 60.0
    """A database that cannot be reached is waited for so long (wall time) before the service ends."""
    keep_latest: int = 128
    """Pictures per camera that may wait before the oldest goes. A simulation runs up to 2 s ahead, at up to 60 Hz."""


@dataclass(frozen=True, slots=True)
class VisionOptions:
    """The vision worker. ``detector``: "openvino" (the shipped networks), a folder with others, or a .pt file.

    ``int8``: use the networks' eight-bit copies where there are some.
    """

    detector: str = "openvino"
    min_score: float = 0.35
    threads: int = 1
    int8: bool = True
    movement: MovementOptions = field(default_factory=MovementOptions)
    batch: BatchOptions = field(default_factory=BatchOptions)


@dataclass(frozen=True, slots=True)
class Settings(FusionOptions):
    """The options of everything, by the name of its section.

    ``policy`` is in a file the name of another file, relative to it, such as configs/policy.yaml.
    """

    timing: TimingOptions = field(default_factory=TimingOptions)
    service: ServiceOptions = field(default_factory=ServiceOptions)
    vision: VisionOptions = field(default_factory=VisionOptions)
    steps: StepOptions = field(default_factory=StepOptions)
    candidates: CandidateOptions = field(default_factory=CandidateOptions)
    visits: VisitOptions = field(default_factory=VisitOptions)
    settlement: SettlementOptions = field(default_factory=SettlementOptions)
    payment: StubOptions = field(default_factory=StubOptions)


def read_settings(path: Path | None = None) -> Settings:
    """The settings in a YAML file; what it leaves out is as it was learned, or keeps its default. None: all of that.

    Raises:
        SettingsError: the file cannot be read, has an unknown key or an impossible value.
    """
    if path is None:
        return parse_settings({})
    data = _read_yaml(path, "give another file with --settings", "configs/pipeline.yaml")
    if isinstance(data, dict) and isinstance(data.get("policy"), str):
        prices = path.parent / data["policy"]
        policy = _read_yaml(prices, f"correct policy in {path}", "configs/policy.yaml")
        data = data | {"policy": _checked(PolicyOptions, policy, str(prices), "configs/policy.yaml").model_dump()}
    return parse_settings({} if data is None else data, str(path))


def _read_yaml(path: Path, way_out: str, example: str) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read ({error.strerror}); {way_out}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a date that is none
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        where = f", line {mark.line + 1}" if mark else ""
        raise SettingsError([f"{path}{where}: is not YAML; see {example} for an example"]) from error


def parse_settings(data: object, source: str = "settings") -> Settings:
    """Settings from plain data; what it does not say is as it was learned.

    Raises:
        SettingsError: there is an unknown key or an impossible value.
    """
    return _build(Settings, _checked(Settings, _over(learned(), data), source, "configs/pipeline.yaml"))


@cache
def learned() -> Mapping[str, Any]:
    """What evidence is worth, as `smartstore sim learn` wrote it; nothing where the file is not there."""
    if not LEARNED.is_file():
        return {}
    data = yaml.safe_load(LEARNED.read_text(encoding="utf-8"))
    return {key: value for key, value in data.items() if key != "learned"}


def _over(base: Mapping[str, Any], data: object) -> object:
    """``data`` with what only ``base`` says."""
    if not isinstance(data, Mapping):
        return data
    return {**base, **{key: _over(base.get(key) or {}, value) for key, value in data.items()}}


def settings_schema() -> dict[str, Any]:
    """The JSON Schema of a settings file, for editors."""
    schema = _model(Settings).model_json_schema()
    about = "File with the price of a review and of an error, relative to this one; see configs/policy.yaml"
    schema["properties"]["policy"] = {"type": "string", "description": about}
    return schema


def policy_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, for editors."""
    return _model(PolicyOptions).model_json_schema()


def _checked(kind: Any, data: object, source: str, example: str) -> BaseModel:
    try:
        return _model(kind).model_validate(data)
    except ValidationError as error:
        raise SettingsError([_problem(kind, source, found, example) for found in error.errors()]) from error


def _problem(kind: Any, source: str, found: Mapping[str, Any], example: str) -> str:
    place = ".".join(str(part) for part in found["loc"]) or "the whole file"
    if found["type"] == "extra_forbidden":
        known = ", ".join(_known(kind, tuple(found["loc"][:-1])))
        return f"{source}: unknown key {place}; known here: {known}"
    if found["type"] in ("model_type", "dict_type"):
        return f"{source}: {place}: needs keys with values, not {found['input']!r}; see {example}"
    return f"{source}: {place}: {found['msg'].lower()}, not {found['input']!r}"


def _known(kind: Any, path: tuple[Any, ...]) -> list[str]:
    for part in path:
        kind = _section(get_type_hints(kind).get(part))
    own = kind.__annotations__
    return [entry.name for entry in sorted(fields(kind), key=lambda entry: entry.name not in own)]


def _section(hint: Any) -> Any:
    """The options in a hint: themselves, or without the None that may stand in for them."""
    return next((part for part in get_args(hint) if is_dataclass(part)), hint)


@cache
def _model(options: type[Any]) -> type[BaseModel]:
    """A strict pydantic model with the fields and defaults of a dataclass and of those inside it."""
    hints = get_type_hints(options)
    entries: dict[str, Any] = {entry.name: _entry(hints[entry.name], entry) for entry in fields(options)}
    config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    return create_model(options.__name__, __config__=config, __doc__=options.__doc__, **entries)


def _entry(hint: Any, entry: "Field[Any]") -> Any:
    if is_dataclass(hint):
        inner = _model(hint)  # type: ignore[arg-type]
        return inner, PydanticField(default_factory=inner)
    if is_dataclass(_section(hint)):
        return _model(_section(hint)) | None, None
    if entry.default is not MISSING:
        is_measure = isinstance(entry.default, int | float) and not isinstance(entry.default, bool)
        # Seconds, metres, shares and counts have no negative values; log-likelihoods that are meant negative do.
        return hint, PydanticField(entry.default, ge=0) if is_measure and entry.default >= 0 else entry.default
    if entry.default_factory is not MISSING:
        return hint, PydanticField(default_factory=entry.default_factory)
    return hint, ...


def _build(options: type[Options], model: BaseModel) -> Options:
    values = {entry.name: getattr(model, entry.name) for entry in fields(options)}  # type: ignore[arg-type]
    hints = get_type_hints(options)
    return options(**{
        name: _build(_section(hints[name]), value) if isinstance(value, BaseModel) else value
        for name, value in values.items()
    })  # fmt: skip


if __name__ == "__main__":  # in the root of the repository: writes the JSON Schemas anew
    for name, schema in (("pipeline", settings_schema()), ("policy", policy_schema())):
        Path(f"configs/{name}.schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
