"""A visit as messages, and as a recording: for tests of whatever plays feeds."""

import random
from collections.abc import Callable
from pathlib import Path

from smartstore.feed.recording import open_recorder
from smartstore.feed.replay import device_packets
from smartstore.site import Site
from smartstore.wire import topics
from smartstore.wire.codec import Packet, Received, encode
from smartstore.wire.messages import Status, TrackedPerson, Tracks
from tests.builders import (
    FakeScale,
    Walker,
    at,
    before,
    floor_states,
    gate_message,
    grams,
    people_messages,
    plate,
    scale_messages,
)

CORNER = Path(__file__).parents[1] / "configs/stores/corner.yaml"
TOMATOES, SUGAR = "g1-2-b", "g1-1-b"


def str_of(track: int, _t_ns: int) -> str:
    """A system that never takes one person for another."""
    return str(track)


def anna(site: Site) -> Walker:
    """She comes in, reaches for chopped tomatoes, for sugar, for sugar again, and leaves."""
    stops = [(10.0, TOMATOES), (17.0, SUGAR), (24.0, SUGAR)]
    path = [(2.5, 1.1, 0.2), (5.0, 1.1, 1.5)]
    for t_s, facing in stops:
        path += [(t_s - 1.5, *before(site, facing)), (t_s + 1.5, *before(site, facing))]
    path += [(29.0, 1.6, 1.2), (32.0, 4.9, 1.0), (33.5, 4.9, -0.3)]
    return Walker(1, tuple(path), tuple((t_s - 0.6, t_s + 0.6, facing) for t_s, facing in stops))


def annas_visit(site: Site) -> list[Received]:
    """Anna comes in, takes chopped tomatoes, takes sugar, puts the sugar back, and leaves."""
    scale = FakeScale(site.fixtures["g1"], 1, 1.5)
    scale.move(10, plate(site, TOMATOES), -grams(site, TOMATOES))
    scale.move(17, plate(site, SUGAR), -grams(site, SUGAR)).move(24, plate(site, SUGAR), grams(site, SUGAR))
    messages = people_messages(site, [anna(site)], 40) + scale_messages(site, scale, 40)
    messages.append(gate_message(site, "entry", 0, 1.0, "entry", "anna"))
    messages.append(gate_message(site, "exit", 0, 33.2, "exit_beam"))
    return sorted(messages, key=lambda received: received.key)


def as_packets(feed: list[Received]) -> list[Packet]:
    """What a bus carries of it."""
    return [encode(received.channel, received.store, received.device, received.message) for received in feed]


def tracks_messages(
    site: Site, walkers: list[Walker], until_s: float, step_s: float = 0.1, name: Callable[[int, int], str] = str_of
) -> list[Received]:
    """What another system that follows people says about ``walkers``; ``name`` gives its id for a track at a time."""
    out = []
    for seq, state in enumerate(floor_states(site, walkers, until_s, step_s)):
        people = []
        for track in state.tracks:
            joints = {f"{h.side}_wrist": [float(h.x_m), float(h.y_m), float(h.z_m), 0.9] for h in track.hands}
            who = name(track.track, state.t_ns)
            people.append(TrackedPerson(person=who, x_m=track.x_m, y_m=track.y_m, joints=joints))
        out.append(Received(topics.TRACKS, site.store, "theirs", Tracks(seq=seq, t_ns=state.t_ns, people=people)))
    return out


def record_visit(path: Path, site: Site) -> Path:
    """Anna's visit as a recorder kept it, heard a moment after it was said; another system follows her."""
    said = [received for received in annas_visit(site) if received.channel is not topics.PEOPLE]
    said = sorted([*said, *tracks_messages(site, [anna(site)], 40, 0.2)], key=lambda received: received.key)
    with open_recorder(path, site.store, CORNER, seed="7") as recorder:
        status = Status(seq=0, t_ns=at(-3600), state="online", kind="camera")
        recorder.write(encode(topics.STATUS, site.store, "c1", status), at(0) - 1)
        for received, packet in zip(said, as_packets(said), strict=True):
            recorder.write(packet, received.t_ns + 30_000_000)
    return path


def shuffled(feed: Path, seed: int, within_s: float = 0.45) -> list[tuple[int, Packet]]:
    """Every packet comes up to so much later than it was said."""
    rng = random.Random(seed)
    late = [(t_ns + round(rng.uniform(0, within_s) * 1e9), n, packet)
            for n, (t_ns, packet) in enumerate(device_packets(feed))]  # fmt: skip
    return [(t_ns, packet) for t_ns, _, packet in sorted(late, key=lambda entry: entry[:2])]
