"""YAML with places: a file in, plain data out, with the line and the written text of every value.

The path of a value is a tuple of keys and indices. What cannot be read becomes a :class:`Problem`, never an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

Loc = tuple[str | int, ...]
DEEPEST = 12
LARGEST = 200_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in a document: its path and line, what is wrong, and the way out."""

    where: str
    line: int
    what: str
    remedy: str
    file: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}: {place}{self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class Source:
    """A document as read: ``data`` is what YAML says, ``lines`` and ``texts`` are by path."""

    file: str
    data: object
    lines: Mapping[Loc, int] = field(default_factory=dict)
    texts: Mapping[Loc, str] = field(default_factory=dict)

    def line(self, loc: Loc) -> int:
        """The line of the value, or of the nearest thing around it that is written down."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def problem(self, loc: Loc, what: str, remedy: str) -> Problem:
        """A problem at ``loc``."""
        return Problem(where(loc), self.line(loc), what, remedy, self.file)


def where(loc: Loc) -> str:
    """A path as people write it: ``fixtures[2].shelves[0].id``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def read_source(path: Path) -> tuple[Source | None, list[Problem]]:
    """The document in ``path``, or None, and everything about it that YAML itself finds wrong."""
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return None, [Problem("", 1, f"cannot be read: {error.strerror or error}", "name an existing file", file)]
    except UnicodeDecodeError:
        return None, [Problem("", 1, "is not UTF-8 text", "save it as UTF-8", file)]
    return source_of(text, file)


def source_of(text: str, file: str) -> tuple[Source | None, list[Problem]]:
    """The same of a text that is, or will be, in ``file``."""
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return None, [Problem("", line, f"is not YAML: {error.problem}", "mend the syntax", file)]
    except yaml.YAMLError as error:
        text = " ".join(str(error).split())
        return None, [Problem("", 1, f"is not YAML: {text}", "mend the syntax", file)]
    if not isinstance(root, yaml.MappingNode):
        return None, [Problem("", 1, "is not a mapping of keys to values", "start with keys such as 'schema: 1'", file)]
    walk = _Walk(file)
    data = walk.value(root, ())
    return Source(file, data, walk.lines, walk.texts), walk.problems


class _Walk:
    """Goes through the nodes once and notes where everything stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Loc, int] = {}
        self.texts: dict[Loc, str] = {}
        self.problems: list[Problem] = []
        self._around: list[yaml.Node] = []
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, loc: Loc) -> object:
        self.lines.setdefault(loc, node.start_mark.line + 1)
        if node in self._around or len(loc) > DEEPEST:
            what = "contains itself" if node in self._around else "is nested too deeply"
            self._complain(loc, what, "write it out without anchors")
            return None
        if len(self.lines) >= LARGEST:
            if len(self.lines) == LARGEST:
                self._complain(loc, f"is too much: more than {LARGEST} values", "write it out without anchors")
                self.lines[(*loc, "")] = 0
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        self._around.append(node)
        data = (
            self._mapping(node, loc)
            if isinstance(node, yaml.MappingNode)
            else [self.value(child, (*loc, index)) for index, child in enumerate(node.value)]
        )
        self._around.pop()
        return data

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> object:
        self.texts[loc] = str(node.value)
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self._complain(loc, f"'{node.value}' cannot be understood", "write a plain number or a quoted text")
            return None

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if key in data:
                first = self.lines[(*loc, key)]
                self.problems.append(
                    Problem(
                        where((*loc, key)),
                        line,
                        f"key '{key}' is there twice (first in line {first})",
                        "keep one",
                        self.file,
                    )
                )
                continue
            self.lines[(*loc, key)] = line
            data[key] = self.value(value_node, (*loc, key))
        return data

    def _complain(self, loc: Loc, what: str, remedy: str) -> None:
        self.problems.append(Problem(where(loc), self.lines[loc], what, remedy, self.file))
