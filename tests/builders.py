"""Hand-made feeds for tests: scales that somebody touches, people who walk and reach, gates.

Nothing here comes from the simulator, and its noise (Laplace with a moving average, a slow sine as drift, exponential
ringing) is of another family than what the inference assumes.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from smartstore.domain.events import CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.geometry import CameraModel
from smartstore.domain.items import FacingChange
from smartstore.domain.people import FloorState, FloorTrack, Hand
from smartstore.fusion.alive import ScaleAlive
from smartstore.fusion.attribution import Attributor, Known
from smartstore.fusion.options import FusionOptions
from smartstore.fusion.touches import FacingsSeen
from smartstore.scales.candidates import CandidateFinder
from smartstore.scales.steps import StepDetector
from smartstore.site import Fixture, Site
from smartstore.wire import topics
from smartstore.wire.codec import Received, decode, encode
from smartstore.wire.heard import HeardBatch
from smartstore.wire.messages import GateEvent, Message, People, ScaleBatch, SeenPerson

NS = 1_000_000_000
T0_NS = 1_767_600_000 * NS


def at(t_s: float) -> int:
    """Event time ``t_s`` seconds after the beginning of a story."""
    return T0_NS + round(t_s * NS)


@dataclass
class FakeScale:
    """The scale of one fixture and what hands do to it. Times in seconds of the story, weights in grams."""

    fixture: Fixture
    seed: int = 0
    noise_grams: float = 1.0
    rate_hz: float = 60.0
    dead: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    _acts: list[tuple[str, float, np.ndarray]] = field(default_factory=list)

    @property
    def plates(self) -> list[str]:
        return [plate.id for shelf in self.fixture.shelves for plate in shelf.plates]

    def move(
        self,
        t_s: float,
        plate: str,
        grams: float,
        push_grams: float = 40.0,
        lift_s: float = 0.15,
        ring_share: float = 0.06,
        keeps_share: float = 0.0,
    ) -> "FakeScale":
        """A hand pushes for 0.1 s, then ``grams`` come (or go, if negative) within ``lift_s``; the shelf rings."""
        t = np.arange(0, 600, 1 / self.rate_hz) - t_s
        gone = np.clip((t - 0.1) / lift_s, 0, 1)
        push = push_grams * ((t >= 0) & (t < 0.1))
        self._acts.append((plate, t_s, push + grams * gone))
        since = np.clip(t - 0.1, 0, None)
        ring = ring_share * grams * np.exp(-since / 0.1) * np.sin(2 * math.pi * 7 * since)
        shelf = next(shelf for shelf in self.fixture.shelves if plate in [p.id for p in shelf.plates])
        for i, other in enumerate(p.id for p in shelf.plates if p.id != plate):
            kept = keeps_share * grams * gone if i == 0 else 0.0
            self._acts.append((other, t_s, ring + kept))
        return self

    def touch(self, t_s: float, plate: str, push_grams: float = 45.0, lasts_s: float = 0.3) -> "FakeScale":
        """A hand rests on a plate and takes nothing."""
        t = np.arange(0, 600, 1 / self.rate_hz) - t_s
        self._acts.append((plate, t_s, push_grams * ((t >= 0) & (t < lasts_s))))
        return self

    def batches(self, until_s: float, size: int = 12) -> list[ScaleBatch]:
        """Everything the scale says up to ``until_s``."""
        count = int(until_s * self.rate_hz) // size * size
        rng = np.random.default_rng(self.seed)
        raw = rng.laplace(0, 1, (count + 2, len(self.plates)))
        grams = self.noise_grams * (raw[2:] + 0.8 * raw[1:-1] + 0.4 * raw[:-2]) / 1.9
        grams += rng.uniform(-3000, 5000, len(self.plates))
        t = np.arange(count) / self.rate_hz
        grams += 1.5 * np.sin(2 * math.pi * t / 90)[:, None]
        for plate, _, signal in self._acts:
            grams[:, self.plates.index(plate)] += signal[:count]
        grams = np.round(grams / 0.241) * 0.241
        grams[:, [self.plates.index(plate) for plate in self.stuck]] = 712.4
        out = []
        for seq, i in enumerate(range(0, count, size)):
            rows = [
                [None if name in self.dead else float(v) for name, v in zip(self.plates, row, strict=True)]
                for row in grams[i : i + size]
            ]
            out.append(
                ScaleBatch(
                    seq=seq,
                    t_ns=at(i / self.rate_hz),
                    period_ns=round(NS / self.rate_hz),
                    plates=self.plates,
                    grams=rows,
                )
            )
        return out


@dataclass(frozen=True)
class Walker:
    """Somebody on the floor: positions by time, and reaches (from, to, facing). All as a perfect tracker would say."""

    track: int
    path: tuple[tuple[float, float, float], ...]
    """(t_s, x_m, y_m), linear in between; absent before the first and after the last."""
    reaches: tuple[tuple[float, float, str], ...] = ()
    offers: tuple[tuple[float, float, tuple[float, float, float]], ...] = ()
    """(from, to, point): a hand is held out there."""


def floor_states(site: Site, walkers: list[Walker], until_s: float, step_s: float = 0.2) -> list[FloorState]:
    """What the tracker says about ``walkers``."""
    states = []
    for i in range(round(until_s / step_s)):
        t_s = i * step_s
        tracks = tuple(track for walker in walkers if (track := _track(site, walker, t_s)) is not None)
        states.append(FloorState(at(t_s), tracks))
    return states


def plate(site: Site, facing: str) -> str:
    """The plate under a facing."""
    return site.facings[facing].plates[0]


def grams(site: Site, facing: str) -> float:
    """What one item of a facing weighs."""
    return site.items[site.facings[facing].sku].grams


def shopper(site: Site, track: int, *stops: tuple[float, str], until_s: float = 20.0) -> Walker:
    """Somebody who stands before each facing around the given time and reaches into it."""
    path: list[tuple[float, float, float]] = []
    for t_s, facing in stops:
        x, y = before(site, facing)
        path += [(t_s - 2, x, y), (t_s + 2, x, y)]
    path = [(0.0, *path[0][1:]), *path, (until_s, *path[-1][1:])]
    return Walker(track, tuple(path), tuple((t_s - 0.5, t_s + 0.6, facing) for t_s, facing in stops))


def view(
    site: Site,
    facing: str,
    t_s: float,
    items: int,
    probability: float = 0.9,
    sku: str | None = None,
    unclear: bool = False,
) -> FacingChange:
    """What a shelf camera says about a facing around ``t_s``."""
    scores = ((sku or site.facings[facing].sku, 0.9),)
    return FacingChange("s1", facing, at(t_s - 0.5), at(t_s + 1), items, probability, scores, unclear)


ItemEvent = ItemTaken | ItemReturned | CaseRaised


def told(
    site: Site,
    scales: Iterable[FakeScale],
    walkers: list[Walker],
    owners: Mapping[int, str],
    held: Mapping[str, Mapping[str, int]] | None = None,
    views: Iterable[FacingChange] = (),
    clear: Iterable[FacingsSeen] = (),
    until_s: float = 20.0,
    options: FusionOptions | None = None,
    strangers: Collection[int] = (),
) -> list[ItemEvent]:
    """The events of a story in which tracks are known to belong to visits, or to be ``strangers``."""
    attributor = Attributor(site, CandidateFinder(site).observe, options)
    detectors = {scale.fixture.id: StepDetector(scale.fixture) for scale in scales}
    feed: list[tuple[int, int, object]] = [(state.t_ns, 1, state) for state in floor_states(site, walkers, until_s)]
    feed += [(batch.t_ns, 0, (scale.fixture.id, batch)) for scale in scales for batch in scale.batches(until_s)]
    feed += [(change.t_end_ns, 2, change) for change in views]
    feed += [(seen.t_ns, 3, seen) for seen in clear]
    holdings = {visit: Counter(dict(cart)) for visit, cart in (held or {}).items()}
    events: list[ItemEvent] = []
    for t_ns, _, fact in sorted(feed, key=lambda entry: entry[:2]):
        if isinstance(fact, tuple):
            fixture, batch = fact
            for step in detectors[fixture].observe(felt(batch)):
                attributor.observe(step)
            detector = detectors[fixture]
            attributor.observe(ScaleAlive(fixture, t_ns, detector.live_plates(t_ns), detector.restless()))
        else:
            attributor.observe(fact)  # type: ignore[arg-type]
        new = attributor.decide(t_ns, Known(holdings, owners, sorted(set(owners.values())), strangers))
        for event in new:
            if isinstance(event, ItemTaken):
                holdings.setdefault(event.visit, Counter())[event.sku] += event.quantity
            elif isinstance(event, ItemReturned):
                holdings.setdefault(event.visit, Counter())[event.sku] -= event.quantity
        events += new
    return events


def before(site: Site, facing: str, away_m: float = 0.5) -> tuple[float, float]:
    """Where somebody stands who reaches into a facing."""
    place = site.facings[facing]
    x, y, _ = site.fixtures[place.fixture].point(place.offset_m + place.width_m / 2, -away_m, 0.0)
    return x, y


def inside(site: Site, facing: str, depth_m: float = 0.05) -> tuple[float, float, float]:
    """A point inside a facing, just behind its front."""
    place = site.facings[facing]
    return site.fixtures[place.fixture].point(place.offset_m + place.width_m / 2, depth_m, place.centre_m[2])


def _track(site: Site, walker: Walker, t_s: float) -> FloorTrack | None:
    times = [point[0] for point in walker.path]
    if not times[0] <= t_s <= times[-1]:
        return None
    ways = [[point[axis] for point in walker.path] for axis in (1, 2)]
    x, y = (float(np.interp(t_s, times, way)) for way in ways)
    vx, vy = (float(np.interp(t_s, times, way) - np.interp(t_s - 0.1, times, way)) / 0.1 for way in ways)
    hands: tuple[Hand, ...] = (Hand("left", x, y, 0.9, 0.08), Hand("right", x, y, 0.9, 0.08))
    for start, end, facing in walker.reaches:
        if start <= t_s <= end:
            hands = (hands[0], Hand("right", *inside(site, facing), 0.06))
    for start, end, point in walker.offers:
        if start <= t_s <= end:
            hands = (hands[0], Hand("right", *point, 0.06))
    return FloorTrack(walker.track, at(t_s), x, y, vx, vy, 0.1, hands)


def heard(channel: topics.Channel, store: str, device: str, message: Message) -> Received:
    """A message as it arrives."""
    received = decode(encode(channel, store, device, message))
    assert received is not None
    return received


def felt(batch: ScaleBatch) -> HeardBatch:
    """What arrives of what a scale says."""
    received: HeardBatch = heard(topics.SCALE, "corner", "g1", batch).message
    return received


def people_messages(
    site: Site, walkers: list[Walker], until_s: float, fps: float = 5.0, seed: int = 0
) -> list[Received]:
    """What the ceiling cameras say about ``walkers``: stick figures with boxes and joints, uniform noise of a pixel."""
    rng = np.random.default_rng(seed)
    out = []
    cameras = [camera for camera in site.cameras.values() if camera.kind == "ceiling"]
    for i in range(round(until_s * fps)):
        for camera in cameras:
            t_s = i / fps
            people = [
                person for walker in walkers if (person := _seen(site, walker, t_s, camera.model, rng)) is not None
            ]
            model = camera.model
            message = People(seq=i, t_ns=at(t_s), width=model.width_px, height=model.height_px, people=people)
            out.append(heard(topics.PEOPLE, site.store, camera.id, message))
    return out


def _seen(site: Site, walker: Walker, t_s: float, camera: CameraModel, rng: np.random.Generator) -> SeenPerson | None:
    track = _track(site, walker, t_s)
    if track is None:
        return None
    joints = _figure(track.x_m, track.y_m)
    for start, end, facing in walker.reaches:
        if start <= t_s <= end:
            palm = np.array(inside(site, facing, 0.1))
            arm = (palm - joints[6]) / np.linalg.norm(palm - joints[6])
            joints[8], joints[10] = palm - 0.34 * arm, palm - 0.09 * arm
    outline = np.vstack([joints, [[track.x_m, track.y_m, 1.75]]])
    px = camera.project(outline) + rng.uniform(-1, 1, (len(outline), 2))
    if np.isnan(px).any():
        return None
    (left, top), (right, bottom) = px.min(axis=0) - 2, px.max(axis=0) + 2
    if right < 0 or bottom < 0 or left > camera.width_px or top > camera.height_px:
        return None
    colour = np.zeros(8)
    colour[walker.track % 8] = 1.0
    return SeenPerson(
        box=[float(side) for side in (left, top, right, bottom)],
        score=0.9,
        joints=[[*p, 0.9] for p in px[:17].tolist()],
        appearance=colour.tolist(),
    )


def _figure(x: float, y: float) -> np.ndarray:
    """COCO joints (17, 3) of somebody who stands."""
    heights = [1.62, 1.65, 1.65, 1.63, 1.63, 1.43, 1.43, 1.15, 1.15, 0.9, 0.9, 0.93, 0.93, 0.5, 0.5, 0.08, 0.08]
    sides = [0, 0.03, -0.03, 0.07, -0.07, 0.18, -0.18, 0.22, -0.22, 0.22, -0.22, 0.12, -0.12, 0.1, -0.1, 0.1, -0.1]
    return np.array([[x, y + side, z] for side, z in zip(sides, heights, strict=True)])


def scale_messages(site: Site, scale: FakeScale, until_s: float) -> list[Received]:
    """What a scale says."""
    return [heard(topics.SCALE, site.store, scale.fixture.id, batch) for batch in scale.batches(until_s)]


def gate_message(site: Site, gate: str, seq: int, t_s: float, kind: str, visit: str | None = None) -> Received:
    """An entry, or a broken beam."""
    event = GateEvent(
        seq=seq,
        t_ns=at(t_s),
        event_id=f"{gate}-{seq}",
        kind=kind,
        visit=visit,  # type: ignore[arg-type]
        token=f"token-{visit}" if visit else None,
        party_size=1 if visit else None,
    )
    return Received(topics.GATE, site.store, gate, event)
