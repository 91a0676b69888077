"""A design: all documents that a run needs, as data that can be changed field by field and sent to another machine.

In: a scenario, a store or an edit document, and settings of the pipeline. Out: a frozen :class:`Design`; variants of
it; and its files in a folder, which the ordinary readers read.
"""

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from sims.devices.edge_model import load_edge_model
from sims.documents import Part, read_document
from sims.lab.fields import FieldError, Tree
from sims.lab.play import building_of, site_of
from sims.scenario import load_scenario, scenario_schema
from smartstore.settings import read_settings, settings_schema
from smartstore.site import catalogue_schema, load_site, store_schema
from smartstore.site.edit import EditError, edited

PARTS = ("store", "catalogue", "scenario", "pipeline")
SCENARIO = Path(__file__).resolve().parents[2] / "configs/scenarios/corner-rush.yaml"
_UNPACKED: dict[str, "TemporaryDirectory[str]"] = {}
MOST_UNPACKED = 16


class DesignError(Exception):
    """A design that cannot be made; one line: file, field and what to do."""


class Edit(Part):
    """Changes of a design: first of the store in the words of ``site edit``, then fields with new values."""

    store: tuple[str, ...] = ()
    """Like ``move g3 0.5 0``, ``remove c3``, ``swap g1-1-b g1-1-c``."""
    set_: Annotated[dict[str, Any], Field(alias="set")] = Field(default_factory=dict)


class EditDocument(Edit):
    """An edit as a document of its own: what it is called and what it changes."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    edit: Annotated[str, Field(min_length=1)]
    of: Annotated[str, Field(min_length=1)]
    """A scenario or another edit, relative to this file."""


@dataclass(frozen=True)
class Design:
    """The documents of a run as data. Nothing in it is changed: variants are copies."""

    name: str
    documents: Mapping[str, Any]
    """By the names of ``PARTS``; ``edge`` too, where the scenario names an error model."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The file that each came from, for messages."""

    @cached_property
    def digest(self) -> str:
        """Changes with the documents."""
        return _digest(self.documents)

    @cached_property
    def digest_of_building(self) -> str:
        """Changes with all documents but the settings of the pipeline, of which the building knows nothing."""
        return _digest({part: document for part, document in self.documents.items() if part != "pipeline"})

    def changed(self, edit: Edit, name: str) -> "Design":
        """A variant; raises :class:`DesignError` where the edit names what is not there."""
        documents = copy.deepcopy(dict(self.documents))
        try:
            documents["store"] = edited(documents["store"], edit.store)
            trees = {part: Tree(part, documents[part], _schema(part)) for part in PARTS}
            for path, value in edit.set_.items():
                _tree(trees, path).put(path, copy.deepcopy(value))
        except (FieldError, EditError) as error:
            raise DesignError(f"{name}: {error}") from error
        return replace(self, name=name, documents=documents)

    def unpack(self, folder: Path) -> None:
        """Write the documents as files."""
        documents = copy.deepcopy(dict(self.documents))
        documents["store"]["catalogue"] = "catalogue.yaml"
        documents["scenario"] |= {"store": "store.yaml"}
        if documents.get("edge") is not None:
            documents["scenario"] |= {"edge": "edge.yaml"}
        for name, document in documents.items():
            if document is not None:
                text = yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
                (folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def check(self) -> None:
        """Raises :class:`DesignError` where the documents cannot be played."""
        files = unpacked(self)
        try:
            scenario = load_scenario(files.scenario)
            load_edge_model(scenario.edge_file)
            site_of(files.store)
            scenario.check(building_of(files.store))
            read_settings(files.pipeline)
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("sims", "smartstore"):
                raise
            raise DesignError(self._told(error, files.store.parent)) from error
        if not self.documents["store"].get("cameras"):
            raise DesignError(
                f"{self.sources.get('store', self.name)}: has no cameras: nobody can be followed; add some"
            )

    def _told(self, error: Exception, folder: Path) -> str:
        """What is wrong, with the files that the user knows, but not their lines: those are of the changed document."""
        line = " ".join(str(error).split())
        for name in (*PARTS, "edge"):
            line = re.sub(re.escape(str(folder / f"{name}.yaml")) + r"(:\d+)?", self.sources.get(name, name), line)
        return line if self.name in line else f"{self.name}: {line}"


def _digest(documents: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(documents, sort_keys=True, default=str).encode()).hexdigest()[:16]


_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Files:
    """Where the documents of a design are."""

    scenario: Path
    store: Path
    pipeline: Path


def unpacked(design: Design) -> Files:
    """The files of a design, for as long as this process lives or sixteen others have been asked for."""
    if design.digest not in _UNPACKED:
        while len(_UNPACKED) >= MOST_UNPACKED:
            _UNPACKED.pop(next(iter(_UNPACKED))).cleanup()
        _UNPACKED[design.digest] = TemporaryDirectory(prefix="smartstore-design-")
        design.unpack(Path(_UNPACKED[design.digest].name))
    folder = Path(_UNPACKED[design.digest].name)
    return Files(folder / "scenario.yaml", folder / "store.yaml", folder / "pipeline.yaml")


def load_design(path: Path, settings: Path | None = None, scenario: Path | None = None) -> Design:
    """The design that a scenario, a store or an edit document stands for.

    A store is played with ``scenario``, or with ``configs/scenarios/corner-rush.yaml``.

    Raises:
        DesignError, ScenarioError, SiteError, SettingsError: it cannot be read; one line.
    """
    document = read_document(path, DesignError, str(SCENARIO))
    if "edit" in document:
        try:
            edit = EditDocument.model_validate(document)
        except ValidationError as error:
            raise DesignError(f"{path}: {_problem(error)}") from error
        return load_design(path.parent / edit.of, settings, scenario).changed(edit, edit.edit)
    if "fixtures" in document:
        return _design(scenario or SCENARIO, path, settings, str(document.get("store", path.stem)))
    return _design(path, None, settings, path.stem)


def _design(scenario_path: Path, store_path: Path | None, settings: Path | None, name: str) -> Design:
    scenario = load_scenario(scenario_path)
    store_path = store_path or scenario.store
    load_site(store_path)  # says what is wrong with it
    read_settings(settings)
    store = read_document(store_path, DesignError, "configs/stores/corner.yaml")
    catalogue_path = store_path.parent / str(store["catalogue"])
    catalogue = read_document(catalogue_path, DesignError, "data/catalogues/corner.yaml")
    documents: dict[str, Any] = {
        "store": store,
        "catalogue": _without_pictures(catalogue),
        "scenario": scenario.model_dump(mode="json", by_alias=True, exclude_none=True),
        "pipeline": _plain(settings),
    }
    sources = {"store": str(store_path), "catalogue": str(catalogue_path), "scenario": str(scenario_path)}
    if scenario.edge_file is not None:
        load_edge_model(scenario.edge_file)
        documents["edge"] = read_document(scenario.edge_file, DesignError, "configs/edge/default.yaml")
        sources["edge"] = str(scenario.edge_file)
    return Design(name, documents, {**sources, "pipeline": str(settings or "pipeline")})


def _plain(settings: Path | None) -> dict[str, Any]:
    """A settings file as data, with the prices that it names."""
    if settings is None:
        return {}
    document = read_document(settings, DesignError, "configs/pipeline.yaml")
    if isinstance(document.get("policy"), str):
        document["policy"] = read_document(settings.parent / document["policy"], DesignError, "configs/policy.yaml")
    return document


def _without_pictures(catalogue: Mapping[str, Any]) -> dict[str, Any]:
    """Smart cameras bring their own; another machine has not the files."""
    items = [{key: value for key, value in item.items() if key != "picture"} for item in catalogue["items"]]
    return {**{key: value for key, value in catalogue.items() if key != "pictures"}, "items": items}


@cache
def _schema(part: str) -> Mapping[str, Any]:
    schemas: Mapping[str, Any] = {
        "store": store_schema, "catalogue": catalogue_schema, "scenario": scenario_schema, "pipeline": settings_schema
    }  # fmt: skip
    schema: Mapping[str, Any] = schemas[part]()
    return schema


def _tree(trees: Mapping[str, Tree], path: str) -> Tree:
    root = path.partition(".")[0]
    if root not in trees:
        raise FieldError(f"there is no field {path}: fields begin with {', '.join(PARTS)}, like scenario.{path}")
    return trees[root]


def _problem(error: ValidationError) -> str:
    found = error.errors()[0]
    key = ".".join(str(part) for part in found["loc"])
    return f"{key}: {found['msg'].lower()}; see configs/sweeps for examples"


def edit_schema() -> dict[str, Any]:
    """The JSON Schema of edit documents, for editors."""
    schema = EditDocument.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Edit of a design"} | schema
