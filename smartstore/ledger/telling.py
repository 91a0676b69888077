"""What apps get to hear: booked facts as wire messages.

In: events, carts and prices, and positions. Out: messages with the ``seq`` they are given, by pure functions, and
:class:`Teller`, which counts and publishes them.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

from smartstore.domain.events import CaseDecided, CaseRaised, ItemReturned, ItemTaken
from smartstore.domain.people import FloorState
from smartstore.ledger.cart import Cart, PriceList, price
from smartstore.ledger.settlement import doubted
from smartstore.site import Site
from smartstore.wire import messages, topics
from smartstore.wire.codec import Packet, encode
from smartstore.wire.messages import ReviewCandidate, ReviewPicture


class Teller:
    """Publishes what apps get to hear of a store, each channel with a ``seq`` that counts from 0."""

    def __init__(self, publish: Callable[[Packet], None], site: Site, prices: PriceList, service: str) -> None:
        self._publish, self._site, self._prices, self._service = publish, site, prices, service
        self.said: Counter[str] = Counter()
        """How many messages went out, by channel; a later run that is handed these counts on from them."""

    def cart(self, cart: Cart, t_ns: int, phase: messages.Phase) -> None:
        """The cart as it is at ``t_ns``."""
        message = cart_message(cart, self._prices, t_ns, phase, self._next(f"cart/{cart.visit}"))
        self._say(topics.CART, cart.visit, message)
        if phase == "end":
            del self.said[f"cart/{cart.visit}"]

    def change(self, event: ItemTaken | ItemReturned | CaseRaised) -> None:
        """A change of a shelf, as it was explained."""
        self._say(topics.CHANGE, event.place, change_message(event, self._next("change")))

    def case(self, case: CaseRaised, decided: CaseDecided | None = None) -> None:
        """A new case, or what was decided of it."""
        self._say(topics.REVIEW, case.case, review_message(case, self._site, decided))

    def receipt(self, visit: str, receipt: messages.Receipt) -> None:
        """A receipt, or a new version of it."""
        self._say(topics.RECEIPT, visit, receipt)

    def floor(self, state: FloorState, owners: Mapping[int, str]) -> None:
        """Where everybody is."""
        self._say(topics.FLOOR, self._service, floor_message(state, owners, self._next("floor")))

    def progress(self, t_ns: int, received: int, dropped: int, finished: int) -> None:
        """Event time up to which everything is processed, and counts of messages."""
        seq = self._next("progress")
        message = messages.Progress(
            seq=seq, t_ns=t_ns, processed_ns=t_ns, messages=received, dropped=dropped, finished=finished
        )
        self._say(topics.PROGRESS, self._service, message)

    def _next(self, channel: str) -> int:
        self.said[channel] += 1
        return self.said[channel] - 1

    def _say(self, channel: topics.Channel, device: str, message: messages.Message) -> None:
        self._publish(encode(channel, self._site.store, device, message))


def cart_message(cart: Cart, prices: PriceList, t_ns: int, phase: messages.Phase, seq: int) -> messages.Cart:
    """The virtual cart at ``t_ns``."""
    priced = price(cart, prices)
    lines = [messages.CartLine(sku=line.sku, name=line.name, quantity=line.quantity,
                               unit_price_minor=line.unit_price_minor, total_minor=line.total_minor)
             for line in priced.lines]  # fmt: skip
    return messages.Cart(
        seq=seq, t_ns=t_ns, phase=phase, lines=lines, total_minor=priced.total_minor, currency=priced.currency,
        in_doubt=doubted(cart),
    )  # fmt: skip


def change_message(event: ItemTaken | ItemReturned | CaseRaised, seq: int) -> messages.ShelfChange:
    """An item change as it was explained; "doubt" for a case."""
    kind: Literal["take", "put_back", "doubt"]
    if isinstance(event, CaseRaised):
        kind, sku, quantity, probability = "doubt", None, 0, 0.0
    else:
        kind = "take" if isinstance(event, ItemTaken) else "put_back"
        doubtful = event.doubtful if isinstance(event, ItemReturned) else 0
        sku, quantity, probability = event.sku, event.quantity + doubtful, _share(event.probability)
    return messages.ShelfChange(
        seq=seq, t_ns=event.t_ns, kind=kind, visit=event.visit or None, sku=sku, quantity=quantity,
        happened_ns=event.t_ns, probability=probability,
    )  # fmt: skip


def floor_message(state: FloorState, owners: Mapping[int, str], seq: int) -> messages.Floor:
    """Where everybody is, with the visit of each track that has one."""
    tracks = [messages.FloorPerson(track=t.track, x_m=round(t.x_m, 3), y_m=round(t.y_m, 3), visit=owners.get(t.track))
              for t in state.tracks]  # fmt: skip
    return messages.Floor(seq=seq, t_ns=state.t_ns, tracks=tracks)


def review_message(case: CaseRaised, site: Site, decided: CaseDecided | None = None) -> messages.Review:
    """A case with its evidence, or what became of it."""
    facing = site.facings.get(case.place)
    shelf = site.shelves.get(facing.shelf if facing else case.place)
    verdict = None
    if decided is not None:
        verdict = ReviewCandidate(visit=decided.mover, sku=decided.sku, quantity=decided.quantity, probability=1.0,
                                  giver=decided.giver)  # fmt: skip
    candidates = [ReviewCandidate(visit=c.visit, sku=c.sku, quantity=c.quantity, probability=_share(c.probability),
                                  giver=c.giver) for c in case.candidates]  # fmt: skip
    pictures = [ReviewPicture(camera=p.camera, t_ns=p.t_ns, file=p.file) for p in case.pictures]
    return messages.Review(
        seq=decided.decision if decided else 0,
        t_ns=decided.t_ns if decided else case.t_ns,
        phase="new" if decided is None else "end" if decided.decision == 1 else "update",
        visit=case.visit or None,
        place=case.place,
        happened_ns=case.t_ns,
        candidates=candidates,
        fixture=shelf.fixture if shelf else None,
        shelf=shelf.id if shelf else None,
        facing=facing.id if facing else None,
        pictures=pictures,
        verdict=verdict,
    )


def _share(probability: float) -> float:
    return min(max(probability, 0.0), 1.0)
