"""Merges the streams of all devices into one, in event time.

In: received messages in the order of their arrival. Out: the same messages in the order of ``Received.key``, each as
soon as the watermark has passed it, so that the same feed gives the same output in any order of arrival within the
lateness bound.

The watermark is the time of the most advanced device less the allowed lateness. One device alone cannot drag it away: a
device that runs far ahead of all others counts for nothing until a second one confirms its time, or until it is the
only one that still speaks.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field

from smartstore.wire.codec import Received

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ClockOptions:
    """How far a device's clock is trusted."""

    max_lead_s: float = 5.0
    """A device further ahead than this of the second most advanced one is not believed."""
    silent_after: int = 500
    """A device that said nothing during this many messages of others has no say any more."""
    alone_after: int = 20
    """A single device is believed after this many messages without a word from any other."""
    tick_s: float = 0.1
    """What is due is decided in such steps of event time."""
    ticks: int = 2
    """The watermark moves by so many ticks at once, so that what is released together is the same in any order of
    arrival; more at once is cheaper, and later."""
    remembered: int = 2048
    """Sequence numbers kept per device and channel, to know duplicates by."""
    held_per_device: int = 256
    """Messages from a disbelieved future that are kept for one device; what comes beyond is dropped."""


@dataclass(slots=True)
class Counts:
    """What the timeline dropped or doubted, in messages."""

    duplicates: int = 0
    late: int = 0
    """Older than the watermark, and never heard before: dropped; see :meth:`Timeline.missed`."""
    old: int = 0
    """Older than everything that is remembered of their device: an old message once more, as far as one can tell."""
    ahead: int = 0
    """Sent by a device whose clock runs away; held until others confirm its time."""
    dropped_ahead: int = 0
    """Of those, the ones that found no room."""


@dataclass(slots=True)
class _Clock:
    latest_ns: int
    heard: int = 0
    said: int = 0
    held: int = 0


@dataclass(slots=True)
class Timeline:
    """Puts messages in event-time order. ``lateness_s`` is how much later than newer ones a message may arrive."""

    lateness_s: float
    options: ClockOptions = field(default_factory=ClockOptions)
    counts: Counts = field(default_factory=Counts)
    _late_ns: int = field(init=False)
    _step_ns: int = field(init=False)
    """In such steps the watermark moves."""
    _watermark_ns: int = -1
    _arrivals: int = 0
    _held: bool = False
    _latest_ns: int = -1
    """The latest time that any device ever told: nobody is believed beyond it."""
    _missed: list[Received] = field(default_factory=list)
    _forgotten_ns: dict[tuple[str, str], int] = field(default_factory=dict)
    """Up to when a stream's messages are not remembered any more."""
    _heap: list[tuple[tuple[int, str, str, int], int, Received]] = field(default_factory=list)
    _clocks: dict[str, _Clock] = field(default_factory=dict)
    _seen: dict[tuple[str, str], OrderedDict[tuple[int, int], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._late_ns, self._step_ns = round(self.lateness_s * NS_PER_S), self.options.ticks * self.tick_ns

    @property
    def tick_ns(self) -> int:
        """The step in which time goes on for those who decide."""
        return round(self.options.tick_s * NS_PER_S)

    @property
    def watermark_ns(self) -> int:
        """Everything up to this event time has been released; -1 before the first message."""
        return self._watermark_ns

    @property
    def pending(self) -> int:
        """Messages that wait for the watermark."""
        return len(self._heap)

    def observe(self, received: Received) -> list[Received]:
        """The messages that this one's arrival releases, in event-time order."""
        stream, t_ns = (received.channel.name, received.device), received.t_ns
        if self._is_old(stream, t_ns):
            self.counts.old += 1
            return []
        if self._is_duplicate(stream, (received.message.seq, t_ns)):
            self.counts.duplicates += 1
            return []
        self._arrivals += 1
        if t_ns <= self._watermark_ns:
            self.counts.late += 1
            self._missed.append(received)
            return []
        clock = self._clock(received.device, t_ns)
        if self._held:
            heapq.heappush(self._heap, (received.key, self._arrivals, received))
            return []
        self._advance()
        if self._runs_away(t_ns):
            self.counts.ahead += 1
            clock.held += 1
            if clock.held > self.options.held_per_device:
                self.counts.dropped_ahead += 1
                return []
        heapq.heappush(self._heap, (received.key, self._arrivals, received))
        return self._release(self._watermark_ns)

    def hold(self) -> None:
        """From now on nothing is released, however far ahead some devices are: others still send what was missed."""
        self._held = True

    def release(self) -> list[Received]:
        """Goes on after :meth:`hold`: what has become due meanwhile, in event-time order."""
        self._held = False
        self._advance()
        return self._release(self._watermark_ns)

    def missed(self) -> list[Received]:
        """The messages that came too late since this was asked last: what they said had no part in any decision."""
        missed, self._missed = self._missed, []
        return missed

    def flush(self) -> list[Received]:
        """All that still waits, in event-time order: the feed has ended."""
        if not self._heap:
            return []
        return self._release(max(entry[0][0] for entry in self._heap))

    def _is_old(self, stream: tuple[str, str], t_ns: int) -> bool:
        """Whether nobody can say any more if this was heard: long decided, and of a time that is not remembered."""
        return t_ns <= self._watermark_ns and t_ns <= self._forgotten_ns.get(stream, -1)

    def _is_duplicate(self, stream: tuple[str, str], key: tuple[int, int]) -> bool:
        """Whether (channel, device, seq) of the same time came before; a device that restarts counts anew."""
        seen = self._seen.get(stream)
        if seen is None:
            seen = self._seen[stream] = OrderedDict()
        if key in seen:
            return True
        seen[key] = None
        if len(seen) > self.options.remembered:
            (_, forgotten_ns), _ = seen.popitem(last=False)
            self._forgotten_ns[stream] = max(forgotten_ns, self._forgotten_ns.get(stream, -1))
        return False

    def _clock(self, device: str, t_ns: int) -> _Clock:
        clock = self._clocks.get(device)
        if clock is None:
            clock = self._clocks[device] = _Clock(t_ns)
        set_right = t_ns < clock.latest_ns - self.options.max_lead_s * NS_PER_S
        clock.latest_ns = t_ns if set_right else max(clock.latest_ns, t_ns)
        self._latest_ns = max(self._latest_ns, t_ns)
        clock.heard = self._arrivals
        clock.said += 1
        return clock

    def _advance(self) -> None:
        if self._due_ns(self._latest_ns) <= self._watermark_ns:
            return
        believed = self._believed_ns()
        if believed is not None:
            self._watermark_ns = max(self._watermark_ns, self._due_ns(believed))

    def _due_ns(self, believed_ns: int) -> int:
        """The watermark once a time is believed."""
        due_ns = believed_ns - self._late_ns
        return due_ns - due_ns % self._step_ns

    def _believed_ns(self) -> int | None:
        """The latest time that may be trusted: the most advanced device's, if another one is near it."""
        oldest = self._arrivals - self.options.silent_after
        heard = [clock for clock in self._clocks.values() if clock.heard >= oldest]
        times = sorted(clock.latest_ns for clock in heard)
        if len(times) == 1:
            return times[0] if heard[0].said >= self.options.alone_after else None
        near = times[-1] - times[-2] <= self.options.max_lead_s * NS_PER_S
        return times[-1] if near else times[-2]

    def _runs_away(self, t_ns: int) -> bool:
        limit_s = self.options.max_lead_s + self.lateness_s
        return self._watermark_ns >= 0 and t_ns > self._watermark_ns + limit_s * NS_PER_S

    def _release(self, until_ns: int) -> list[Received]:
        out: list[Received] = []
        while self._heap and self._heap[0][0][0] <= until_ns:
            received = heapq.heappop(self._heap)[2]
            clock = self._clocks[received.device]
            clock.held = max(0, clock.held - 1)
            out.append(received)
        self._watermark_ns = max(self._watermark_ns, until_ns)
        return out
