"""Who may say and hear what on a store's broker: an account for every device, service and app, by its role.

In: what a store has. Out: accounts with the topics that they may write and read, and these as a Mosquitto ACL file.
Topics come from the channel table; what is not granted is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from smartstore.bus.base import BusError
from smartstore.wire import topics

_NAME = re.compile(r"[A-Za-z0-9._-]+")

Accounts = Mapping[str, "Grants"]
"""By user name."""


@dataclass(frozen=True, slots=True)
class Grants:
    """Topics or filters below which an account may publish, and of which it is told."""

    write: tuple[str, ...]
    read: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Members:
    """Whom a store consists of, by id. ``trackers`` are systems that follow people in 3D, ``workers`` those that look
    at pictures for a service."""

    store: str
    cameras: tuple[str, ...]
    scales: tuple[str, ...]
    gates: tuple[str, ...]
    services: tuple[str, ...] = ("main",)
    workers: tuple[str, ...] = ()
    trackers: tuple[str, ...] = ()


def accounts(members: Members) -> Accounts:
    """An account per device, service and worker, one for apps and one for operators.

    Raises:
        BusError: somebody has a name that cannot be part of a user name and of a topic.
    """
    store = members.store
    everybody = (members.cameras, members.scales, members.gates, members.services, members.workers, members.trackers)
    for name in (store, *(name for names in everybody for name in names)):
        if not _NAME.fullmatch(name):
            raise BusError(f"{name!r} cannot be the name of an account; use letters, digits, dots, _ and -")

    def device(role: str, name: str, *channels: topics.Channel) -> tuple[str, Grants]:
        said = [channel.topic(store, name) for channel in (*channels, topics.STATUS, topics.REPLAYED)]
        return f"{role}-{name}", Grants(tuple(said), (topics.REPLAY.filter(store),))

    return dict(
        [device("camera", name, topics.FRAME, topics.PEOPLE, topics.FACINGS) for name in members.cameras]
        + [device("scale", name, topics.SCALE) for name in members.scales]
        + [device("gate", name, topics.GATE) for name in members.gates]
        + [device("tracks", name, topics.TRACKS) for name in members.trackers]
        + [_worker(store, name) for name in members.workers]
        + [_service(store, name) for name in members.services]
        + [("app", Grants((), _filters(store, _APP))), ("operator", _operator(store))]
    )


_APP = (topics.CART, topics.RECEIPT, topics.REVIEW, topics.CHANGE, topics.FLOOR, topics.STATUS, topics.PROGRESS)
"""What apps hear: no pictures, no weights, and no gates, whose messages carry visit tokens."""


def _filters(store: str, channels: Iterable[topics.Channel]) -> tuple[str, ...]:
    return tuple(channel.filter(store) for channel in channels)


def _worker(store: str, name: str) -> tuple[str, Grants]:
    """Looks at pictures, and speaks for every camera: workers share them out among themselves."""
    seen = _filters(store, (topics.PEOPLE, topics.FACINGS))
    itself = (topics.STATUS.topic(store, f"vision-{name}"), topics.PROGRESS.topic(store, name))
    return f"vision-{name}", Grants(seen + itself, _filters(store, (topics.FRAME, topics.STATUS, topics.PROGRESS)))


def _service(store: str, name: str) -> tuple[str, Grants]:
    """Hears what devices say and what is asked of it; alone says what was bought."""
    told = _filters(store, (topics.CART, topics.RECEIPT, topics.REVIEW, topics.CHANGE))
    itself = tuple(channel.topic(store, name) for channel in (topics.FLOOR, topics.PROGRESS, topics.REPLAY))
    status = topics.STATUS.topic(store, f"service-{name}")
    heard = tuple(channel for channel in topics.CHANNELS if channel.sender == "device")
    asked = topics.FINISH.topic(store, name)
    return f"service-{name}", Grants((*told, *itself, status), (*_filters(store, heard), asked))


def _operator(store: str) -> Grants:
    """Records everything, and may end a feed; never speaks for a device."""
    return Grants((topics.FINISH.filter(store),), (f"{topics.ROOT}/{store}/#",))


def acl_text(granted: Accounts) -> str:
    """The accounts as a Mosquitto ACL file."""
    lines = ["# Who may say and hear what; written by `smartstore broker credentials`. What is not here is refused."]
    for user, grants in granted.items():
        lines += ["", f"user {user}"]
        lines += [f"topic write {topic}" for topic in grants.write] + [f"topic read {topic}" for topic in grants.read]
    return "\n".join(lines) + "\n"
