"""The one table of channels, from which topics, subscriptions, codec, recorder and documents are derived."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from smartstore.wire import messages as m

ROOT = "smartstore/v1"


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One kind of topic; there is one object of each, so they are compared by identity.

    ``pattern`` is the topic below ``smartstore/v1/{store}/`` with one ``{parameter}``; ``keep`` says what a slow reader
    may lose: all but the latest, or nothing; ``rate`` is what a device usually sends.
    """

    name: str
    pattern: str
    message: type[m.Message]
    qos: Literal[0, 1]
    retained: bool
    keep: Literal["latest", "all"]
    rate: str
    sender: Literal["device", "service", "operator"]
    about: str

    def topic(self, store: str, device: str) -> str:
        """The full topic of one device."""
        head, _, rest = self.pattern.partition("{")
        return f"{ROOT}/{store}/{head}{device}{rest.partition('}')[2]}"

    def filter(self, store: str) -> str:
        """The MQTT subscription filter for all devices of the channel."""
        return self.topic(store, "+")


FRAME = Channel("frame", "data/camera/{camera}/frame", m.Frame, 0, False, "latest", "2-15 Hz", "device",
                "A picture; payload is JPEG, the other fields are user properties")  # fmt: skip
PEOPLE = Channel("people", "data/camera/{camera}/people", m.People, 0, False, "all", "2-15 Hz", "device",
                 "People with boxes, 17 COCO joints and appearance")  # fmt: skip
TRACKS = Channel("tracks", "data/tracks/{source}", m.Tracks, 0, False, "all", "5-30 Hz", "device",
                 "People followed in 3D by another system, metres; in place of all cameras' people")  # fmt: skip
FACINGS = Channel("facings", "data/camera/{camera}/facings", m.Facings, 0, False, "all", "1-5 Hz", "device",
                  "Fill and likely SKUs of every facing in view")  # fmt: skip
SCALE = Channel("scale", "data/scale/{fixture}", m.ScaleBatch, 0, False, "all", "5 Hz (12 samples at 60 Hz)", "device",
                "Batch of samples of all plates of a fixture, grams")  # fmt: skip
GATE = Channel("gate", "event/gate/{gate}", m.GateEvent, 1, False, "all", "per event", "device",
               "Entry with visit token, door, exit beam")  # fmt: skip
CART = Channel("cart", "event/cart/{visit}", m.Cart, 1, False, "all", "per change", "service",
               "The virtual cart of a visit")  # fmt: skip
RECEIPT = Channel("receipt", "event/receipt/{visit}", m.Receipt, 1, False, "all", "per visit", "service",
                  "The settled receipt of a visit")  # fmt: skip
REVIEW = Channel("review", "event/review/{case}", m.Review, 1, False, "all", "per case", "service",
                 "A change that a human has to look at")  # fmt: skip
CHANGE = Channel("change", "event/change/{place}", m.ShelfChange, 1, False, "all", "per change", "service",
                 "An item change on a facing or shelf, as explained")  # fmt: skip
FLOOR = Channel("floor", "data/floor/{service}", m.Floor, 0, False, "latest", "5 Hz", "service",
                "Fused positions of everybody inside, metres")  # fmt: skip
STATUS = Channel("status", "sys/{device}/status", m.Status, 1, True, "latest", "on change", "device",
                 "Whether a device is there; last will")  # fmt: skip
PROGRESS = Channel("progress", "sys/service/{service}/progress", m.Progress, 0, False, "latest", "per batch", "service",
                   "Event time that a service has processed")  # fmt: skip
FINISH = Channel("finish", "cmd/service/{service}/finish", m.Finish, 1, False, "all", "once", "operator",
                 "The feed has ended: decide all that still waits")  # fmt: skip
REPLAY = Channel("replay", "cmd/replay/{service}", m.Replay, 1, False, "all", "after a break", "service",
                 "Devices that keep what they sent are asked to send it again")  # fmt: skip
REPLAYED = Channel("replayed", "event/replayed/{device}", m.Replayed, 1, False, "all", "per request", "device",
                   "All that was asked for is sent again")  # fmt: skip

CHANNELS = (
    FRAME, PEOPLE, TRACKS, FACINGS, SCALE, GATE, CART, RECEIPT, REVIEW, CHANGE, FLOOR, STATUS, PROGRESS, REPLAY,
    REPLAYED, FINISH,
)  # fmt: skip


@lru_cache(maxsize=4096)
def find(topic: str) -> tuple[Channel, str, str] | None:
    """The channel, store and device of a topic; None for a topic that is not ours."""
    levels = topic.split("/")
    if levels[:2] != ROOT.split("/") or len(levels) < 4 or not levels[2]:
        return None
    for channel in CHANNELS:
        pattern = channel.pattern.split("/")
        if len(pattern) != len(levels) - 3:
            continue
        device = ""
        for expected, actual in zip(pattern, levels[3:], strict=True):
            if expected.startswith("{"):
                device = actual
            elif expected != actual:
                break
        else:
            return (channel, levels[2], device) if device else None
    return None


def matches(topic_filter: str, topic: str) -> bool:
    """Whether an MQTT subscription filter covers a topic (MQTT 5, section 4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if levels[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(levels) or part not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)
