"""The palm service's tables. A row does not validate: what goes in was checked before, and rows never leave the store.

There is no name, no purchase and no raw palm. Who a visit belongs to is known only while its token lasts.
"""

from sqlalchemy import BigInteger, LargeBinary, MetaData
from sqlmodel import Field, SQLModel

metadata = MetaData()


class EpochRow(SQLModel, table=True):
    """A salt of the tenant; the newest makes new templates."""

    __tablename__ = "palm_epoch"
    metadata = metadata

    epoch: int = Field(primary_key=True)
    salt: bytes = Field(sa_type=LargeBinary)
    fingerprint: bytes = Field(sa_type=LargeBinary)
    """Of the secret that everything is sealed with."""


class PersonRow(SQLModel, table=True):
    """Somebody who is enrolled, with the record of their consent; ``template`` is sealed."""

    __tablename__ = "palm_person"
    metadata = metadata

    person: str = Field(primary_key=True)
    enrolled_ns: int = Field(sa_type=BigInteger)
    enrolled_by: str
    wording: str
    """Version of the text that was agreed to."""
    consented_ns: int = Field(sa_type=BigInteger)
    epoch: int = Field(index=True)
    template: bytes = Field(sa_type=LargeBinary)


class VisitRow(SQLModel, table=True):
    """A visit token that was handed out; the row goes soon after the token has expired."""

    __tablename__ = "palm_visit"
    metadata = metadata

    visit: str = Field(primary_key=True)
    person: str = Field(index=True)
    audience: str
    expires_s: int = Field(sa_type=BigInteger, index=True)
    state: str
    """issued, admitted or revoked."""


class ClientRow(SQLModel, table=True):
    """A device or desk that may ask; of its key only a hash is kept."""

    __tablename__ = "palm_client"
    metadata = metadata

    name: str = Field(primary_key=True)
    role: str
    audience: str
    key_hash: bytes = Field(sa_type=LargeBinary)


class AuditRow(SQLModel, table=True):
    """One thing that was done; ``digest`` links it to the one before."""

    __tablename__ = "palm_audit"
    metadata = metadata

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at_ns: int = Field(sa_type=BigInteger)
    actor: str
    action: str
    subject: str = Field(index=True)
    outcome: str
    digest: bytes = Field(sa_type=LargeBinary)
