"""A recorded case of the NanoStore as messages of the wire.

In: the exported collections ``plate_data`` (weights) and ``full_targets`` (people followed in 3D, inches). Out: scale
and track messages in event time, and gate events for everybody who was followed; a finding for every repair.

Two clocks meet here: weights carry the middle of their batch, tracks the moment of their pictures. Both are taken as
they are; when a database stored a message says only how long its way was.
"""

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.formats.nanostore_geometry import INCH_M
from smartstore.formats.nanostore_source import Findings, number, seconds, vector
from smartstore.formats.nanostore_store import STORE, NanoStore, plate_id
from smartstore.wire import topics
from smartstore.wire.codec import Packet, encode
from smartstore.wire.messages import GateEvent, ScaleBatch, TrackedPerson, Tracks

NS_PER_S = 1_000_000_000
SOURCE = "full-targets"
JITTER_S = 0.06
"""Beginnings of batches are smoothed within so much; beyond it there is a gap."""
JOINTS = {
    "head": "head", "neck": "neck", "l_shoulder": "left_shoulder", "r_shoulder": "right_shoulder",
    "l_elbow": "left_elbow", "r_elbow": "right_elbow", "l_wrist": "left_wrist", "r_wrist": "right_wrist",
}  # fmt: skip
STANDS = (("left_shoulder", "right_shoulder"), ("neck",), ("head",))
"""What says where somebody stands, the best first."""
AGAIN_S, AGAIN_M = 8.0, 2.5
"""Somebody new who turns up inside so soon after, and so near to where, another was lost is the same person."""
LEFT_S = 1.0
"""From the last sight of somebody to the beam of the exit."""
Timed = tuple[int, Packet]


def weight_packets(entries: Iterable[Mapping[str, Any]], store: NanoStore, findings: Findings) -> Iterator[Timed]:
    """One scale message per batch, in the order of each gondola's own time."""
    batches: dict[int, list[tuple[float, float, NDArray[np.float64]]]] = {}
    for entry in entries:
        if (read := _batch(entry, findings)) is not None:
            batches.setdefault(read[0], []).append(read[1:])
    for gondola in sorted(set(store.gondolas) - set(batches)):
        findings.add("a gondola gives no weights", f"gondola {gondola}", "its scale is silent in the feed")
    for gondola, found in sorted(batches.items()):
        if gondola not in store.gondolas:
            findings.add("weights of a gondola that does not exist", f"gondola {gondola}", "left out", len(found))
            continue
        yield from _scale(gondola, sorted(found, key=lambda one: one[0]), store, findings)


def _batch(entry: Mapping[str, Any], findings: Findings) -> tuple[int, float, float, NDArray[np.float64]] | None:
    """Gondola, UTC seconds of the first sample, hertz, and samples (time, shelf, plate)."""
    told = entry.get("document") or {}
    about = told.get("plate_data") or {}
    header, values = told.get("header") or {}, about.get("values") or {}
    plate = ((about.get("plate_id") or {}).get("shelf_id") or {}).get("gondola_id") or {}
    gondola = number(plate.get("id", entry.get("gondola_id")))
    rate = number(about.get("freq_samp")) or 60.0
    middle = seconds(header.get("t_origin")) or seconds(entry.get("timestamp"))
    try:
        raw = np.frombuffer(base64.b64decode(values["data"], validate=True), "<f4")
        samples = raw.reshape([int(n) for n in values["shape"]]).astype(float)
    except (KeyError, TypeError, ValueError, binascii.Error):
        samples = np.zeros(0)
    if gondola is None or middle is None or samples.ndim != 3 or not samples.size or rate <= 0:
        findings.add("a batch of weights cannot be read", str(entry.get("_id", "without an id")), "left out")
        return None
    return int(gondola), middle - (len(samples) - 1) / 2 / rate, rate, samples


def _scale(
    gondola: int, batches: list[tuple[float, float, NDArray[np.float64]]], store: NanoStore, findings: Findings
) -> Iterator[Timed]:
    """Batches on an even clock; plates by name, counted from 1 as in the data."""
    name, boards = f"gondola {gondola}", store.gondolas[gondola].shelves
    plates = [(gondola, shelf, plate) for shelf in sorted(boards) for plate in boards[shelf].plates]
    findings.add("shelves and plates are counted from 1", name, "row and column 0 of every batch left out")
    silent, stuck = _dead(plates, [samples for *_, samples in batches])
    for plate in silent:
        findings.add("a plate gives no numbers at all", plate_id(plate), "null in the feed")
    for plate in stuck:
        findings.add("a plate gives the same number all the time", plate_id(plate), "kept")
    due, off = None, [0.0]
    for seq, (begin, rate, samples) in enumerate(batches):
        if due is not None and begin < due - 0.5 * len(samples) / rate:
            findings.add("a batch of weights is there twice", name, "the first one counts")
            continue
        if due is None or abs(begin - due) > JITTER_S:
            if due is not None:
                findings.add("weights have a gap", f"{name}: {begin - due:.2f} s", "a gap in the feed")
            due = begin
        off.append(abs(begin - due))
        due += 0.1 * (begin - due)
        rows = [[_at(row, shelf, plate) for _, shelf, plate in plates] for row in samples]
        batch = ScaleBatch(seq=seq, t_ns=round(due * NS_PER_S), period_ns=round(NS_PER_S / rate),
                           plates=[plate_id(plate) for plate in plates], grams=rows)  # fmt: skip
        yield batch.t_ns, encode(topics.SCALE, STORE, f"gondola-{gondola}", batch)
        due += len(samples) / rate
    if max(off) > 0.002:
        findings.add("batches begin unevenly", f"{name}: up to {1000 * max(off):.0f} ms", "put on an even clock")


def _at(row: NDArray[np.float64], shelf: int, plate: int) -> float | None:
    if shelf >= row.shape[0] or plate >= row.shape[1]:
        return None
    grams = float(row[shelf, plate])
    return round(grams, 3) if math.isfinite(grams) else None


def _dead(
    plates: list[tuple[int, int, int]], batches: list[NDArray[np.float64]]
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Plates without any number, and plates that never change."""
    silent, stuck = [], []
    for plate in plates:
        _, s, p = plate
        there = [samples[:, s, p] for samples in batches if s < samples.shape[1] and p < samples.shape[2]]
        grams = np.concatenate(there) if there else np.zeros(0)
        grams = grams[np.isfinite(grams)]
        if not len(grams):
            silent.append(plate)
        elif len(grams) > 60 and np.ptp(grams) == 0:
            stuck.append(plate)
    return silent, stuck


def track_packets(entries: Iterable[Mapping[str, Any]], case: str, findings: Findings) -> Iterator[Timed]:
    """One track message per view, and gate events for all who were followed."""
    views: dict[int, list[TrackedPerson]] = {}
    lags: list[float] = []
    for entry in entries:
        told = entry.get("document") or {}
        t_s = seconds((told.get("header") or {}).get("t_origin")) or seconds(entry.get("timestamp"))
        if t_s is None:
            findings.add("people without a time", str(entry.get("_id", "without an id")), "left out")
            continue
        if (stored := seconds(entry.get("date_time"))) is not None:
            lags.append(stored - t_s)
        people = [_person(target, findings) for target in (told.get("targets") or {}).get("targets") or []]
        t_ns = round(t_s * NS_PER_S)
        if t_ns in views:
            findings.add("people of one moment are there twice", case, "the first ones count")
        views.setdefault(t_ns, [person for person in people if person is not None])
    if lags and max(lags) > 0.5:
        findings.add("people are stored later than they were seen", f"{case}: by {min(lags):.2f} to {max(lags):.2f} s",
                     "the way through their tracker; the feed is in the order of event time")  # fmt: skip
    for seq, t_ns in enumerate(sorted(views)):
        yield t_ns, encode(topics.TRACKS, STORE, SOURCE, Tracks(seq=seq, t_ns=t_ns, people=views[t_ns]))
    yield from _gates(views, case, findings)


def _person(target: Mapping[str, Any], findings: Findings) -> TrackedPerson | None:
    joints: dict[str, list[float]] = {}
    for key, name in JOINTS.items():
        joint = target.get(key) or {}
        score = number(joint.get("score")) or 0.0
        if not joint.get("point") or score <= 0.0:
            findings.add("a joint without a place or a score", name, "left out")
            continue
        x, y, z = (round(v * INCH_M, 4) for v in vector(joint["point"]))
        joints[name] = [x, y, z, round(min(score, 1.0), 4)]
    name = str((target.get("target_id") or {}).get("id") or "")
    at = next(([joints[one] for one in names] for names in STANDS if all(one in joints for one in names)), None)
    if not name or at is None:
        findings.add("somebody without an id, or without head and shoulders", name or "(no id)", "left out")
        return None
    x, y, _, score = (sum(values) / len(at) for values in zip(*at, strict=True))
    return TrackedPerson(person=name, x_m=round(x, 4), y_m=round(y, 4), score=round(score, 4), joints=joints)


def _gates(views: Mapping[int, list[TrackedPerson]], case: str, findings: Findings) -> Iterator[Timed]:
    """Entry and exit of every shopper: the first and the last sight of them; one who is lost and found stays one."""
    stays: list[tuple[int, int, list[TrackedPerson]]] = []
    by_name: dict[str, tuple[int, int, list[TrackedPerson]]] = {}
    for t_ns in sorted(views):
        for person in views[t_ns]:
            first, _, seen = by_name.get(person.person, (t_ns, t_ns, []))
            by_name[person.person] = (first, t_ns, [*seen[:1], person])
    for first, last, (began, *rest) in sorted(by_name.values(), key=lambda stay: stay[0]):
        ended = rest[-1] if rest else began
        before = [
            (i, stay) for i, stay in enumerate(stays)
            if 0 <= first - stay[1] <= AGAIN_S * NS_PER_S
            and math.dist((began.x_m, began.y_m), (stay[2][-1].x_m, stay[2][-1].y_m)) <= AGAIN_M
        ]  # fmt: skip
        if before:
            i, stay = max(before, key=lambda pair: pair[1][1])
            stays[i] = (stay[0], last, [*stay[2], ended])
            findings.add("somebody gets a new id inside", f"{case}: {began.person}", "the same shopper")
        else:
            stays.append((first, last, [began, ended]))
    end_ns = max(views, default=0)
    for seq, (first, last, (began, *_)) in enumerate(stays):
        visit = f"{case}-{seq + 1}"
        findings.add("the data has no gate events", f"{case}: {began.person} is visit {visit}",
                     "entry at the first sight of somebody, exit a second after the last")  # fmt: skip
        enter = GateEvent(seq=seq, t_ns=first, event_id=f"{visit}-entry", kind="entry", visit=visit)
        leave_ns = min(last + round(LEFT_S * NS_PER_S), max(end_ns, last))
        leave = GateEvent(seq=seq, t_ns=leave_ns, event_id=f"{visit}-exit", kind="exit_beam")
        yield enter.t_ns, encode(topics.GATE, STORE, "entry", enter)
        yield leave.t_ns, encode(topics.GATE, STORE, "exit", leave)
