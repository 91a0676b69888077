"""Fields of documents by dotted paths, such as ``store.cameras.c1.fps`` or ``scenario.shoppers.count``.

In: plain data as YAML has it, the JSON Schema of the document, a path. Out: the data with a field changed. Elements of
lists are named by their ``id`` or ``sku``, or counted from 0; ``*`` is all of them.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NAMES = ("id", "sku", "name")
NEAR = 3


class FieldError(Exception):
    """A field that is not there; one line that names it and what is near."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A document with its schema. ``root`` is the first part of its paths."""

    root: str
    data: Any
    schema: Mapping[str, Any]

    def put(self, path: str, value: object) -> None:
        """Change a field; mappings that the document leaves out on the way to it are made."""
        for holder, key in self._places(path):
            holder[key] = value

    def _places(self, path: str) -> Iterator[tuple[Any, Any]]:
        parts = path.split(".")[1:]
        if not parts or not all(parts):
            raise FieldError(f"{path!r} names no field; write for example {self.root}.{next(iter(self.data))}")
        yield from self._below(self.data, [self.schema], parts, self.root)

    def _below(
        self, node: Any, schemas: Sequence[Mapping[str, Any]], parts: list[str], so_far: str
    ) -> Iterator[tuple[Any, Any]]:
        part, *rest = parts
        known, inside = self._step(node, schemas, part)
        if inside is None:
            near = difflib.get_close_matches(part, known, NEAR, 0.4) or known[: 2 * NEAR]
            there = f"near it: {', '.join(near)}" if near else "nothing is below it"
            raise FieldError(f"there is no field {so_far}.{'.'.join(parts)}: {so_far} has no {part!r}; {there}")
        keys = range(len(node)) if isinstance(node, list) and part == "*" else [_key(node, part)]
        for key in keys:
            if not rest:
                yield node, key
                continue
            if isinstance(node, dict) and node.get(key) is None:
                node[key] = {}
            yield from self._below(node[key], inside, rest, f"{so_far}.{part}")

    def _step(
        self, node: Any, schemas: Sequence[Mapping[str, Any]], part: str
    ) -> tuple[list[str], list[Mapping[str, Any]] | None]:
        """The names that there are here, and the schemas of one of them; None where it is not one of them."""
        branches = [branch for schema in schemas for branch in self._branches(schema)]
        if isinstance(node, list):
            names = [_name(element, i) for i, element in enumerate(node)]
            there = part == "*" or part in names or (part.isdecimal() and int(part) < len(node))
            items = [branch["items"] for branch in branches if isinstance(branch.get("items"), Mapping)]
            items += [one for branch in branches for one in branch.get("prefixItems", ())]
            return names, items if there else None
        if not isinstance(node, dict):
            return [], None
        found: list[Mapping[str, Any]] = []
        names = [name for branch in branches for name in branch.get("properties", {})]
        for branch in branches:
            free = branch.get("additionalProperties")
            if part in branch.get("properties", {}):
                found.append(branch["properties"][part])
            elif isinstance(free, Mapping):
                found.append(free)
                names += list(node)
        return list(dict.fromkeys(names)), found or None

    def _branches(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """A schema without references and alternatives."""
        if "$ref" in schema:
            yield from self._branches(self.schema["$defs"][schema["$ref"].rsplit("/", 1)[1]])
            return
        yield schema
        for word in ("anyOf", "oneOf", "allOf"):
            for one in schema.get(word, ()):
                yield from self._branches(one)


def _name(element: Any, number: int) -> str:
    named = element if isinstance(element, Mapping) else {}
    return str(next((named[key] for key in NAMES if key in named), number))


def _key(node: Any, part: str) -> Any:
    if not isinstance(node, list):
        return part
    named = [i for i, element in enumerate(node) if _name(element, i) == part]
    return named[0] if named else int(part)
