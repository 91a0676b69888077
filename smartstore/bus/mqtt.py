"""The bus over MQTT 5. The one place that knows paho.

paho's network thread fills an inbox; the reader is synchronous. A lost connection is taken up again with all
subscriptions; what was published with QoS 1 meanwhile is sent then.
"""

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from smartstore.bus.access import MqttAddress, parse_url, why_not
from smartstore.bus.acks import Acknowledgements
from smartstore.bus.base import BusError
from smartstore.bus.inbox import ROOM, Inbox, may_lose, qos_of
from smartstore.wire.codec import JSON, Packet

log = logging.getLogger(__name__)

_UNSENT_LIMIT = 1000
"""Packets on their way to the broker before ``publish`` waits; keeps a fast sender's memory bounded."""
_SESSION_S = 60


class MqttBus:
    """A client of any MQTT 5 broker.

    ``will`` is published by the broker when this client dies or leaves by an exception. With ``durable_s`` the broker
    keeps for so many seconds what comes with QoS 1 while the client is away, and what it was given counts as received
    only when it asks for the next packet: who dies over a packet gets it again.
    """

    def __init__(
        self, broker: str | MqttAddress, client_id: str = "", will: Packet | None = None, *, keep_latest: int = 8,
        durable_s: int = 0, room: int = ROOM, connect_timeout_s: float = 5.0,
    ) -> None:  # fmt: skip
        self.address = parse_url(broker) if isinstance(broker, str) else broker
        self._timeout_s = connect_timeout_s
        self._will, self._birth = will, will
        self._inbox = Inbox(keep_latest, max(room, keep_latest))
        self._filters: list[str] = []
        self._state = threading.Condition()
        self._connected = self._resumed = False
        self._opened = False
        self._refusal: str | None = None
        self._refused = 0
        self._acks: dict[int, list[ReasonCode]] = {}
        self._unsent: deque[tuple[int, paho.MQTTMessageInfo]] = deque()
        self._durable_s, self._connections = durable_s, 0
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, manual_ack=durable_s > 0
        )
        self._owed = Acknowledgements(lambda mid: self._client.ack(mid, 1)) if durable_s else None
        self._client.max_inflight_messages_set(100)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 10)
        if self.address.username is not None:
            self._client.username_pw_set(self.address.username, self.address.password)
        if self.address.tls:
            self._use_tls()
        if will is not None:
            self._client.will_set(will.topic, will.payload, will.qos, will.retain,
                                  _properties(will, PacketTypes.WILLMESSAGE))  # fmt: skip
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = self._durable_s or _SESSION_S
        clean: bool | Literal[3] = False if self._durable_s else paho.MQTT_CLEAN_START_FIRST_ONLY
        try:
            self._client.connect(
                self.address.host, self.address.port, keepalive=30, clean_start=clean, properties=session
            )
        except (OSError, ValueError) as error:
            raise BusError(why_not(self.address, self._refusal, error)) from error
        self._client.loop_start()
        with self._state:
            self._state.wait_for(lambda: self._connected or self._refusal, self._timeout_s)
            self._opened = self._connected
        if not self._opened:
            self._client.disconnect()
            self._client.loop_stop()
            raise BusError(why_not(self.address, self._refusal, "no answer to MQTT 5 CONNECT"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._end(with_will=kind is not None)

    def close(self) -> None:
        self._end(with_will=False)

    @property
    def closed(self) -> bool:
        return self._inbox.closed

    @property
    def lost(self) -> int:
        return self._inbox.lost

    @property
    def waiting(self) -> int:
        """Packets that have come and were not read yet."""
        return self._inbox.waiting

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def connections(self) -> int:
        return self._connections

    @property
    def refused(self) -> int:
        return self._refused

    def wait_connected(self, timeout_s: float) -> bool:
        """Until the connection stands again; False when that took too long."""
        with self._state:
            return self._state.wait_for(lambda: self._connected, timeout_s)

    def publish(self, packet: Packet) -> None:
        if not self._opened:
            raise BusError(f"the connection to {self.address} is not open")
        if len(self._unsent) >= _UNSENT_LIMIT:
            with self._state:
                self._state.wait_for(lambda: self._unsent_count() < _UNSENT_LIMIT or not self._connected, 30.0)
        if self._will is not None and packet.topic == self._will.topic:
            self._birth = packet
        info = self._send(packet)
        if packet.qos > 0 and info.rc == paho.MQTT_ERR_NO_CONN:
            info.rc = paho.MQTT_ERR_SUCCESS  # it is queued and goes out when the connection is back
        self._unsent.append((packet.qos, info))

    def subscribe(self, *filters: str) -> None:
        self._filters.extend(filters)
        connection = self._connections
        mid = self._send_subscriptions(list(filters))
        if self._resumed:
            return  # the broker knows them; its answer may wait behind what it kept, until that is read
        with self._state:  # whoever is cut off meanwhile subscribes with the next connection
            answered = self._state.wait_for(
                lambda: mid in self._acks or (self._connected, self._connections) != (True, connection), self._timeout_s
            )
            codes = self._acks.pop(mid, [])
        refused = [name for name, code in zip(filters, codes, strict=False) if code.is_failure]
        if refused or not answered:
            why = f"refuses the subscription {refused[0]}" if refused else "does not answer to a subscription"
            raise BusError(f"broker {self.address} {why}; check its access rules")

    def unsubscribe(self, *filters: str) -> None:
        if not self._opened:
            raise BusError(f"the connection to {self.address} is not open")
        self._filters = [name for name in self._filters if name not in filters]
        self._client.unsubscribe(list(filters))

    def receive(self, timeout_s: float | None = None) -> Packet | None:
        if self._owed is None:
            return self._inbox.get(timeout_s)
        self._owed.done()
        packet = self._inbox.get(timeout_s)
        self._owed.taken(packet)
        return packet

    def __iter__(self) -> Iterator[Packet]:
        while (packet := self.receive()) is not None:
            yield packet

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Waits until all that was published is with the broker; False when that took too long."""
        deadline = time.monotonic() + timeout_s
        while self._unsent_count():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def _end(self, with_will: bool) -> None:
        if not self._opened:
            return
        self._opened = False
        if self._connected:
            if self._owed is not None and not with_will:
                self._owed.done()
            self.flush()
        if with_will:
            self._vanish()
        else:
            goodbye = Properties(PacketTypes.DISCONNECT)
            goodbye.SessionExpiryInterval = self._durable_s
            self._client.disconnect(properties=goodbye)
            self._client.loop_stop()
        self._inbox.close()

    def _vanish(self) -> None:
        """Leaves without DISCONNECT: not every broker knows MQTT 5's "disconnect with will"."""
        self._client.loop_stop()
        if (open_socket := self._client.socket()) is not None:
            open_socket.close()

    def _use_tls(self) -> None:
        try:
            context = ssl.create_default_context(cafile=self.address.ca_file)
        except (OSError, ssl.SSLError) as error:
            trusted = self.address.ca_file
            raise BusError(f"certificates for {self.address} cannot be loaded ({trusted}): {error}") from error
        self._client.tls_set_context(context)

    def _send_subscriptions(self, filters: list[str]) -> int:
        _, mid = self._client.subscribe([(name, SubscribeOptions(qos=qos_of(name))) for name in filters])
        return mid or 0

    def _send(self, packet: Packet) -> paho.MQTTMessageInfo:
        properties = _properties(packet, PacketTypes.PUBLISH)
        return self._client.publish(packet.topic, packet.payload, packet.qos, packet.retain, properties)

    def _unsent_count(self) -> int:
        """How many packets are not with the broker yet; called by the publishing thread only."""
        while self._unsent and _settled(*self._unsent[0]):
            self._unsent.popleft()
        return len(self._unsent)

    # Callbacks below run in paho's thread.

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if not reason.is_failure and self._filters:
            self._send_subscriptions(self._filters)
        if not reason.is_failure and self._birth is not self._will and self._birth is not None:
            self._send(self._birth)  # the will went out meanwhile, and the client is back
        with self._state:
            self._connections += not reason.is_failure
            self._connected, self._resumed = not reason.is_failure, bool(flags.session_present)
            self._refusal = str(reason).lower() if reason.is_failure else None
            self._state.notify_all()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        if self._owed is not None:
            self._owed.forget()
        with self._state:
            self._connected = False
            self._state.notify_all()

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        with self._state:
            self._acks[mid] = codes
            self._state.notify_all()

    def _on_publish(self, _client: Any, _data: Any, _mid: int, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refused += 1
            if self._refused == 1:
                log.warning("broker %s refuses what we say (%s); check its access rules", self.address, reason)
        if len(self._unsent) >= _UNSENT_LIMIT:
            with self._state:
                self._state.notify_all()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        found = message.properties
        content_type = getattr(found, "ContentType", JSON)
        user = dict(getattr(found, "UserProperty", ()))
        qos = min(message.qos, qos_of(message.topic))  # rumqttd delivers with the QoS of the subscription
        packet = Packet(message.topic, bytes(message.payload), content_type, user, qos, message.retain)
        if self._owed is not None and message.qos == 1:
            self._owed.came(message.mid, packet if qos == 1 and not may_lose(message.topic) else None)
        self._inbox.put(packet)


def _settled(qos: int, info: paho.MQTTMessageInfo) -> bool:
    """Whether nothing more will happen to a published packet: it is with the broker, or lost as QoS 0 may be."""
    try:
        return info.is_published()
    except (ValueError, RuntimeError):
        return qos == 0


def _properties(packet: Packet, kind: int) -> Properties | None:
    """Content type and user properties of a packet as MQTT 5 properties.

    None for plain JSON, which is what a packet without a content type is: properties cost the client a lot.
    """
    if packet.content_type == JSON and not packet.properties:
        return None
    properties = Properties(kind)
    properties.ContentType = packet.content_type
    if packet.properties:
        properties.UserProperty = list(packet.properties.items())
    return properties
