"""Where a broker is and how to get in: addresses, credentials and certificates.

In: what somebody writes on a command line, a file of credentials, the environment. Out: an :class:`MqttAddress` whose
password is in no text, repr or error.
"""

import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from smartstore.bus.base import BusError

USERNAME, PASSWORD = "SMARTSTORE_MQTT_USERNAME", "SMARTSTORE_MQTT_PASSWORD"
"""Names in the environment."""
_KEYS = {"username", "password", "ca_file"}


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where a broker is and how to get in. The password stays out of texts and reprs.

    ``ca_file`` names the certificates to trust with TLS; without it the system's.
    """

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_url(url: str) -> MqttAddress:
    """``mqtt://user:password@host:port`` or ``mqtts://...``; ports default to 1883 and 8883.

    Raises:
        BusError: the text is not such an address.
    """
    try:
        parts = urlsplit(url if "://" in url else f"mqtt://{url}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit("bad:"), None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        shown = url.rsplit("@", 1)[-1]
        raise BusError(f"broker address {shown!r} is not of the form mqtt://[user:password@]host[:port] (or mqtts://)")
    tls = parts.scheme == "mqtts"
    user, password = (unquote(part) if part is not None else None for part in (parts.username, parts.password))
    return MqttAddress(parts.hostname, port or (8883 if tls else 1883), tls, user, password)


def broker_access(
    url: str, credentials: Path | None = None, ca_file: Path | None = None, environ: Mapping[str, str] = os.environ
) -> MqttAddress:
    """An address with what it takes to get in: from the URL, else from a file of credentials, else from the environment
    (``SMARTSTORE_MQTT_USERNAME``, ``SMARTSTORE_MQTT_PASSWORD``).

    Raises:
        BusError: no such address; or the file cannot be read, is no file of credentials, or others may read it.
    """
    address, known = parse_url(url), read_credentials(credentials) if credentials is not None else {}
    if address.username is None:
        address = replace(
            address,
            username=known.get("username", environ.get(USERNAME)),
            password=known.get("password", environ.get(PASSWORD)),
        )
    trusted = ca_file or (credentials.parent / known["ca_file"] if credentials and "ca_file" in known else None)
    return replace(address, ca_file=trusted)


def read_credentials(path: Path) -> dict[str, str]:
    """``username``, ``password`` and perhaps ``ca_file`` (relative to the file) of a file that only its owner can read.

    Raises:
        BusError: one line; nothing of the file's contents is in it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BusError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'}); "
                       "give another file with --credentials") from None  # fmt: skip
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BusError(f"{path}: others than its owner may read it (mode {mode:04o}); chmod 600 {path}")
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not {"username", "password"} <= set(data) <= _KEYS:
        raise BusError(f"{path}: is not a file of credentials; it needs the lines username: ... and password: ..., "
                       "and may have ca_file: ...")  # fmt: skip
    return {key: str(value) for key, value in data.items()}


def why_not(address: MqttAddress, refusal: str | None, error: object) -> str:
    """One line for somebody who does not get in: because the broker refuses, or because of an error on the way."""
    if refusal is not None:
        return (f"broker {address} does not let us in ({refusal}); check --credentials, or user and password in the "
                "address")  # fmt: skip
    if isinstance(error, ssl.SSLCertVerificationError):
        return (f"the certificate of {address} is not to be trusted ({error.verify_message}); name the authority with "
                "--ca-file, and the broker as its certificate does")  # fmt: skip
    return f"no MQTT broker at {address} ({error}); start one there, or leave out --broker"
