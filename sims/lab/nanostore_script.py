"""Labelled event scripts of the NanoStore as stories that the simulated building can play.

In: scripts (who, when, where, what, put back or not) and the imported store. Out: per script the planogram of its day
and a scenario's shoppers, and one line for everything that cannot be played or is not played as written.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sims.lab.nanostore_places import Event, covers, planogram_of
from smartstore.formats.nanostore import NanoStoreError
from smartstore.formats.nanostore_goods import Good, Placement, believable_grams, gtin_of
from smartstore.formats.nanostore_source import number
from smartstore.formats.nanostore_store import NanoStore, facing_id

WALK_S = 17.0
"""From the palm at the gate to any shelf, with time to spare."""
QUEUE_S = 5.0
"""Between two shoppers at the gate."""


@dataclass(frozen=True, slots=True)
class Script:
    """A labelled case as it stands in the file."""

    case: str
    events: tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class Story:
    """A case ready to be played. ``due`` is what everybody leaves with, by the labels that are played."""

    case: str
    goods: dict[str, Good]
    planogram: tuple[Placement, ...]
    shoppers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    due: dict[str, Counter[str]] = field(default_factory=dict)
    lasts_s: float = 0.0
    notes: list[str] = field(default_factory=list)
    """Labels that were read with a grain of salt."""
    problems: list[str] = field(default_factory=list)
    """Events that are not played."""


def read_scripts(path: Path) -> list[Script]:
    """The scripts in ``path``; raises :class:`NanoStoreError`."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NanoStoreError(f"{path}: cannot be read ({error.strerror}); name a file of labelled scripts") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NanoStoreError(f"{path}: is not JSON ({error}); mend the file") from error
    if not isinstance(listed, list) or not listed:
        raise NanoStoreError(f"{path}: is not a list of cases; compare with ground_truth/scripts.json")
    scripts = []
    for place, one in enumerate(listed):
        events = one.get("events") if isinstance(one, dict) else None
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise NanoStoreError(
                f"{path}: case {place + 1} has no list 'events'; compare with ground_truth/scripts.json"
            )
        scripts.append(Script(str(one.get("dataset") or f"case-{place + 1}"), tuple(events)))
    if twice := [slug for slug, count in Counter(slug_of(script.case) for script in scripts).items() if count > 1]:
        raise NanoStoreError(f"{path}: case {twice[0]!r} is there twice; give each a name of its own")
    return scripts


def slug_of(case: str) -> str:
    """A case's name in lower case, with hyphens alone: part of the names of files."""
    return re.sub(r"[^a-z0-9]+", "-", case.lower()).strip("-") or "case"


def story_of(script: Script, store: NanoStore) -> Story:
    """The story of a script; what cannot be played is among its problems."""
    story = Story(script.case, dict(store.goods), store.planogram)
    events = _events(script, store, story)
    story.planogram = planogram_of(events, store, lambda line: story.notes.append(f"{script.case}: {line}"))
    _Stage(story).play(events)
    if not any(story.shoppers.values()):
        story.problems.append(f"{script.case}: nothing of it can be played; left out")
    return story


def _events(script: Script, store: NanoStore, story: Story) -> list[Event]:
    """What can be understood of the labels, in the order of their times."""
    out = []
    for place, raw in enumerate(script.events, start=1):
        name = f"event {raw.get('event_id', place)}"
        try:
            out += _event(raw, name, store, story)
        except ValueError as error:
            story.problems.append(f"{script.case}: {name}: {error}; left out")
    first = min((event.t_s for event in out), default=0.0)
    return sorted((replace(event, t_s=event.t_s - first) for event in out), key=lambda event: event.t_s)


def _event(raw: Mapping[str, Any], name: str, store: NanoStore, story: Story) -> list[Event]:
    """One event per product of a label; raises ValueError where the label cannot be played."""
    t_s, gondola, shelf = number(raw.get("t_s")), _index(raw.get("gondola")), _index(raw.get("shelf"))
    if t_s is None:
        raise ValueError(f"its time {raw.get('t_s')!r} is no number of seconds")
    shopper = str(raw.get("shopper") or "").strip()
    if not shopper:
        raise ValueError("it does not say which shopper")
    if gondola not in store.gondolas:
        raise ValueError(f"there is no gondola {raw.get('gondola')!r}")
    boards = store.gondolas[gondola].shelves
    if shelf not in boards:
        raise ValueError(f"gondola {gondola} has no shelf {raw.get('shelf')!r}")
    listed = raw.get("plates")
    named = {_index(plate) for plate in listed} if isinstance(listed, list) else set()
    plates = sorted(plate for plate in boards[shelf].plates if plate in named)
    if not plates:
        raise ValueError(f"gondola {gondola} shelf {shelf} has none of the plates {listed!r}")
    products = raw.get("products")
    if not isinstance(products, list) or not products:
        raise ValueError("it names no product")
    counts: Counter[str] = Counter()
    for product in products:
        counts[_product(product if isinstance(product, dict) else {}, name, story)] += 1
    back = str(raw.get("putback")).lower() in ("true", "1")
    return [Event(t_s, name, shopper, gondola, shelf, tuple(plates), back, gtin, n) for gtin, n in counts.items()]


def _index(value: Any) -> int:
    """A number counted from 1; 0, which nothing has, where it is none."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else 0


def _product(label: Mapping[str, Any], name: str, story: Story) -> str:
    """The GTIN of a labelled product, which joins the goods if only the label knows it."""
    code = str(label.get("id") or "")
    gtin, grams = gtin_of(code), believable_grams(label.get("weight_g"))
    if gtin is None:
        raise ValueError(f"product {code!r} is no GTIN")
    known = story.goods.get(gtin)
    if known is None:
        if grams is None:
            raise ValueError(f"product {code} is not in products.json and its label has no weight")
        story.goods[gtin] = Good(gtin, str(label.get("name") or code)[:120], 100, grams)
        story.notes.append(f"{story.case}: {name}: products.json lacks {code}; name and weight come from the label")
    elif grams is None:
        story.notes.append(
            f"{story.case}: {name}: its label has {label.get('weight_g')!r} g for {code}; the {known.grams:g} g of "
            "products.json count"
        )
    elif abs(grams - known.grams) > max(5.0, 0.05 * known.grams):
        story.goods[gtin] = replace(known, grams=grams)
        story.notes.append(
            f"{story.case}: {name}: products.json has {known.grams:g} g for {code}; the {grams:g} g of the label count"
        )
    return gtin


class _Stage:
    """Turns events into the actions of shoppers, and knows who has what by then."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._held: dict[str, list[tuple[str, str]]] = {}
        """By shopper, GTIN and home facing of what they have."""
        self._strays: dict[str, list[tuple[str, str]]] = {}
        """By facing, GTIN and home facing of what was left there and belongs elsewhere."""

    def play(self, events: Sequence[Event]) -> None:
        """All events, in order."""
        names = list(dict.fromkeys(event.shopper for event in events))
        begin_s = 1.0 + QUEUE_S * max(0, len(names) - 1) + WALK_S
        self._story.shoppers = {name: [] for name in names}
        self._story.due = {name: Counter() for name in names}
        for event in events:
            actions = [action for _ in range(event.count) if (action := self._action(event)) is not None]
            if actions:
                when = {"pause_until_s": round(begin_s + event.t_s, 2)}
                self._story.shoppers[event.shopper] += [when, *actions]
                self._story.lasts_s = max(self._story.lasts_s, begin_s + event.t_s)

    def _action(self, event: Event) -> dict[str, Any] | None:
        return self._put_back(event) if event.put_back else self._take(event)

    def _take(self, event: Event) -> dict[str, Any] | None:
        story = self._story
        for place in self._near(event):
            stray = next((one for one in self._strays.get(facing_id(place), []) if one[0] == event.gtin), None)
            if stray is not None and covers(place, event):
                self._strays[facing_id(place)].remove(stray)
                return self._has(event, stray[1], {"take": facing_id(place), "of": stray[1]})
        own = [place for place in self._near(event) if place.gtin == event.gtin]
        if not own:
            story.problems.append(f"{story.case}: {event.name}: {event.gtin} is not on that shelf by then; left out")
            return None
        return self._has(event, facing_id(own[0]), {"take": facing_id(own[0])})

    def _has(self, event: Event, home: str, action: dict[str, Any]) -> dict[str, Any]:
        self._held.setdefault(event.shopper, []).append((event.gtin, home))
        self._story.due[event.shopper][event.gtin] += 1
        return action

    def _put_back(self, event: Event) -> dict[str, Any] | None:
        story, held = self._story, self._held.get(event.shopper, [])
        mine = next((one for one in reversed(held) if one[0] == event.gtin), None)
        where = f"{story.case}: {event.name}"
        if mine is None:
            story.problems.append(f"{where}: {event.shopper} has no {event.gtin} to put back; left out")
            return None
        places = self._near(event)
        if not places:
            story.problems.append(f"{where}: nothing has a place on that shelf, so nothing is put there; left out")
            return None
        into = next((place for place in places if facing_id(place) == mine[1] and covers(place, event)), places[0])
        if not covers(into, event):
            story.notes.append(f"{where}: no facing on these plates; put into the nearest, {facing_id(into)}")
        held.remove(mine)
        story.due[event.shopper][event.gtin] -= 1
        if into.gtin != event.gtin:
            self._strays.setdefault(facing_id(into), []).append(mine)
        return {"put_back": event.gtin, **({"to": facing_id(into)} if facing_id(into) != mine[1] else {})}

    def _near(self, event: Event) -> list[Placement]:
        """The facings of the event's shelf, those with most of its plates first, then the nearest."""
        here = [p for p in self._story.planogram if (p.gondola, p.shelf) == (event.gondola, event.shelf)]
        middle = sum(event.plates) / len(event.plates)

        def rank(place: Placement) -> tuple[int, float, int]:
            away = abs(sum(place.plates) / len(place.plates) - middle)
            return -len(set(place.plates) & set(event.plates)), away, place.plates[0]

        return sorted(here, key=rank)
