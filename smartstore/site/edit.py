"""Changes to a store document: a fixture moved, a camera added, two facings swapped.

In: a document as plain data (or as ruamel reads it, with its comments) and operations in words. Out: a new document;
the given one stays as it is. What becomes of a file is checked before it is written.

===============================  ==============================================================================
``move ID DX DY [DZ]``           a fixture or a camera (with what it looks at) by metres in the store's frame
``move PLATE DU``                a scale's plate along its shelf, to the right
``rotate ID DEGREES``            a fixture about its middle, a camera about the vertical; counter-clockwise
``add fixture|camera {YAML}``    one more, in the keys of the store document
``add scale FIXTURE``            load cells at 60 Hz: a plate under every facing that has none
``remove ID``                    a fixture, a camera or a plate; shelf cameras that then watch nothing go too
``remove scale FIXTURE``         its load cells with all plates
``swap FACING FACING``           what lies there: SKU, columns and rows change places
===============================  ==============================================================================
"""

import copy
import math
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from smartstore.site.writing import Document, EditError, round_trip

__all__ = ["Document", "EditError", "edited"]

List = MutableSequence[Any]
SCALE = {"rate_hz": 60, "batch": 12}
PLACES = 4
"""Decimals of lengths and angles that are computed here."""
CHANGING_PLACES = ("sku", "columns", "rows")


def edited(document: Document, operations: Sequence[str]) -> Document:
    """A new document with the operations carried out one after the other. Raises :class:`EditError`."""
    result: Document = copy.deepcopy(document)
    for operation in operations:
        verb, _, rest = operation.strip().partition(" ")
        if verb not in VERBS:
            raise EditError(f"'{operation}': there is no operation '{verb}'; use one of {', '.join(VERBS)}")
        try:
            VERBS[verb](result, rest.strip())
        except EditError as error:
            raise EditError(f"'{operation}': {error}") from error
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise EditError(
                f"'{operation}': the document is not as it should be there ({error}); see site check"
            ) from error
    return result


def _move(document: Document, rest: str) -> None:
    name, *by = rest.split() or [""]
    numbers = _numbers(by, "metres")
    found, place, index = _find(document, name)
    if found == "plates" and len(numbers) == 1:
        place[index]["offset_m"] = _sum(place[index]["offset_m"], numbers[0])
    elif found == "fixtures" and len(numbers) == 2:
        _shift(place[index]["origin_m"], numbers)
    elif found == "cameras" and len(numbers) in {2, 3}:
        for key in ("position_m", "look_at_m"):
            _shift(place[index][key], numbers)
    else:
        many = {"plates": "one number", "fixtures": "two numbers", "cameras": "two or three numbers"}
        raise EditError(f"to move {name} give {many[found]} of metres" if found in many else _cannot("move", name))


def _rotate(document: Document, rest: str) -> None:
    name, *by = rest.split() or [""]
    numbers = _numbers(by, "degrees")
    found, place, index = _find(document, name)
    if found not in {"fixtures", "cameras"}:
        raise EditError(_cannot("rotate", name))
    if len(numbers) != 1:
        raise EditError("give one number of degrees, counter-clockwise")
    if found == "cameras":
        x, y = (float(c) for c in place[index]["position_m"][:2])
        aim = place[index]["look_at_m"]
        aim[0], aim[1] = (_round(c) for c in _turned(float(aim[0]), float(aim[1]), (x, y), numbers[0]))
        return
    fixture = place[index]
    angle = math.radians(float(fixture["facing_deg"]))
    half_w, half_d = float(fixture["width_m"]) / 2, float(fixture["depth_m"]) / 2
    x, y = (float(c) for c in fixture["origin_m"])
    middle = (
        x - half_w * math.sin(angle) - half_d * math.cos(angle),
        y + half_w * math.cos(angle) - half_d * math.sin(angle),
    )
    fixture["origin_m"][0], fixture["origin_m"][1] = (_round(c) for c in _turned(x, y, middle, numbers[0]))
    turned = (float(fixture["facing_deg"]) + numbers[0] + 180.0) % 360.0 - 180.0
    fixture["facing_deg"] = _round(turned)


def _add(document: Document, rest: str) -> None:
    what, _, text = rest.partition(" ")
    if what == "scale":
        _add_scale(document, text.strip())
        return
    if what not in {"fixture", "camera"}:
        raise EditError("add a fixture, a camera or a scale")
    try:
        thing = (YAML(typ="safe") if type(document) is dict else round_trip()).load(text)  # plain data stays plain
    except (YAMLError, ValueError, RecursionError) as error:
        raise EditError(f"what to add is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(thing, MutableMapping) or "id" not in thing:
        raise EditError(f"say what to add as a mapping, for example add {what} {{id: {what[0]}9, …}}")
    if (style := getattr(thing, "fa", None)) is not None:
        style.set_block_style()
    things = document.get(f"{what}s")
    if things is None:
        things = document[f"{what}s"] = []
    things.append(thing)


def _add_scale(document: Document, name: str) -> None:
    fixture = _fixture(document, name)
    fixture.setdefault("scale", dict(SCALE))
    for shelf in fixture.get("shelves") or ():
        plates = shelf.setdefault("plates", [])
        for facing in shelf.get("facings") or ():
            left, right = float(facing["offset_m"]), float(facing["offset_m"]) + float(facing["width_m"])
            if not any(_overlap(plate, left, right) for plate in plates):
                plates.append({"id": f"{facing['id']}-p", "offset_m": facing["offset_m"], "width_m": facing["width_m"]})
        plates.sort(key=lambda plate: float(plate["offset_m"]))


def _remove(document: Document, rest: str) -> None:
    words = rest.split()
    if len(words) == 2 and words[0] == "scale":
        fixture = _fixture(document, words[1])
        if fixture.pop("scale", None) is None:
            raise EditError(f"fixture {words[1]} has no scale")
        for shelf in fixture.get("shelves") or ():
            shelf.pop("plates", None)
        return
    if len(words) != 1:
        raise EditError("name one fixture, camera or plate, or: remove scale FIXTURE")
    found, place, index = _find(document, words[0])
    if found not in {"fixtures", "cameras", "plates"}:
        raise EditError(_cannot("remove", words[0]))
    del place[index]
    if found == "fixtures":
        _stop_watching(document, words[0])


def _stop_watching(document: Document, fixture: str) -> None:
    """Shelf cameras forget a fixture; those that are left with none to watch go."""
    cameras = document.get("cameras") or []
    for index in reversed(range(len(cameras))):
        watches = cameras[index].get("watches") or []
        if fixture in watches:
            watches.remove(fixture)
            if not watches:
                del cameras[index]


def _swap(document: Document, rest: str) -> None:
    names = rest.split()
    if len(names) != 2:
        raise EditError("name the two facings that change places")
    (kind_a, row_a, a), (kind_b, row_b, b) = (_find(document, name) for name in names)
    if kind_a != "facings" or kind_b != "facings":
        raise EditError("only facings can be swapped")
    one, other = row_a[a], row_b[b]
    for key in CHANGING_PLACES:
        one[key], other[key] = other[key], one[key]
    comments = [getattr(getattr(row, "ca", None), "items", {}) for row in (row_a, row_b)]
    notes = comments[0].pop(a, None), comments[1].pop(b, None)
    for items, place, note in ((comments[0], a, notes[1]), (comments[1], b, notes[0])):
        if note is not None:
            items[place] = note


VERBS: dict[str, Callable[[Document, str], None]] = {
    "move": _move, "rotate": _rotate, "add": _add, "remove": _remove, "swap": _swap,
}  # fmt: skip


def _find(document: Document, name: str) -> tuple[str, List, int]:
    """The kind of the thing with this id, the list that it is in, and where."""
    for kind, things in _lists(document):
        for index, thing in enumerate(things):
            if thing.get("id") == name:
                return kind, things, index
    raise EditError(f"there is no '{name}' in the store")


def _lists(document: Document) -> Iterator[tuple[str, List]]:
    yield "fixtures", document.get("fixtures") or []
    yield "cameras", document.get("cameras") or []
    yield "gates", document.get("gates") or []
    yield "signs", document.get("signs") or []
    for fixture in document.get("fixtures") or ():
        yield "shelves", fixture.get("shelves") or []
        for shelf in fixture.get("shelves") or ():
            yield "plates", shelf.get("plates") or []
            yield "facings", shelf.get("facings") or []


def _fixture(document: Document, name: str) -> Document:
    found, place, index = _find(document, name)
    if found != "fixtures":
        raise EditError(f"'{name}' is no fixture")
    fixture: Document = place[index]
    return fixture


def _numbers(words: Sequence[str], unit: str) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise EditError(f"'{' '.join(words)}' are no {unit}") from error
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise EditError(f"say by how many {unit}")
    return numbers


def _shift(point: List, by: Sequence[float]) -> None:
    for axis, distance in enumerate(by):
        point[axis] = _sum(point[axis], distance)


def _turned(x: float, y: float, about: tuple[float, float], degrees: float) -> tuple[float, float]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    dx, dy = x - about[0], y - about[1]
    return about[0] + c * dx - s * dy, about[1] + s * dx + c * dy


def _overlap(plate: Document, left: float, right: float) -> bool:
    start = float(plate["offset_m"])
    return start < right - 0.005 and start + float(plate["width_m"]) > left + 0.005


def _sum(value: Any, by: float) -> float:
    return _round(float(value) + by)


def _round(value: float) -> float:
    return round(value, PLACES) + 0.0


def _cannot(verb: str, name: str) -> str:
    return f"'{name}' is nothing that can be {verb.removesuffix('e')}ed"
