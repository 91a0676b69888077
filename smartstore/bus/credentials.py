"""Certificates, passwords and access rules of a broker of one's own: a development authority and what it vouches for.

In: accounts, and the names under which the broker is reached. Out: a folder with the files that Mosquitto and its
clients need. What is there already is kept: a store that grows gives nobody a new password.
"""

import base64
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from smartstore.bus.access import read_credentials
from smartstore.bus.base import BusError
from smartstore.bus.roles import Accounts, acl_text

AUTHORITY_DAYS, SERVER_DAYS = 3650, 397
PASSWORD_BYTES, SALT_BYTES = 32, 12
ROUNDS = 1000
"""Of PBKDF2. Passwords are random and long, so that no number of rounds matters; brokers hash with every connection."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a folder of credentials has. ``kept`` are the accounts that were there before."""

    folder: Path
    accounts: tuple[str, ...]
    kept: tuple[str, ...]


def write_credentials(folder: Path, granted: Accounts, hosts: Sequence[str]) -> Written:
    """Fills a folder: ``ca.crt``, ``server.crt``, ``server.key``, ``passwords``, ``acl`` for the broker, and a file of
    credentials per account in ``clients``. Whatever is secret can be read by its owner only.

    Raises:
        BusError: the folder cannot be written, or holds something that is no file of credentials.
    """
    try:
        clients = folder / "clients"
        clients.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        key, authority = _authority(folder)
        _server(folder, key, authority, hosts)
        kept = tuple(user for user in granted if (clients / f"{user}.yaml").exists())
        passwords = {user: _password(clients / f"{user}.yaml", user) for user in granted}
        hashed = "".join(f"{user}:{password_hash(password)}\n" for user, password in passwords.items())
        _write(folder / "passwords", hashed.encode())
        _write(folder / "acl", acl_text(granted).encode())
    except OSError as error:
        raise BusError(f"{error.filename or folder}: {(error.strerror or 'cannot be used').lower()}; "
                       "give another folder") from error  # fmt: skip
    return Written(folder, tuple(granted), kept)


def password_hash(password: str, salt: bytes | None = None) -> str:
    """As Mosquitto keeps it: ``$7$rounds$salt$hash``, PBKDF2 with SHA-512 (mosquitto_passwd(1))."""
    salt = salt or secrets.token_bytes(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _password(path: Path, user: str) -> str:
    """The password of an account: the one in its file, else a new one."""
    if path.exists():
        return read_credentials(path)["password"]
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    text = yaml.safe_dump({"username": user, "password": password, "ca_file": "../ca.crt"}, sort_keys=False)
    _write(path, text.encode())
    return password


def _authority(folder: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key_file, certificate_file = folder / "ca.key", folder / "ca.crt"
    if key_file.exists() and certificate_file.exists():
        try:
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        except ValueError as error:
            raise BusError(f"{key_file}: is no key of ours; give another folder") from error
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key, certificate
        raise BusError(f"{key_file}: is no key of ours; give another folder")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smartstore development authority")])
    certificate = (
        _certificate(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(key_file, _pem(key))
    _write(certificate_file, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    return key, certificate


def _server(
    folder: Path, authority_key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, hosts: Sequence[str]
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _certificate(subject, authority.subject, key.public_key(), SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_alternative(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_id, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(folder / "server.key", _pem(key))
    _write(folder / "server.crt", certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A whole file or none, that nobody else could read at any time."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    new.replace(path)
