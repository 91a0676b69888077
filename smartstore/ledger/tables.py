"""Rows of the journal. They never leave ``ledger.journal``: outside, there are only frozen domain types."""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

metadata = MetaData()
"""The ledger's own tables, apart from those of any other database of the process."""


class EventRow(SQLModel, table=True):
    """One thing that happened. Rows are added, never changed or deleted."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("kind", "caused_by"),)
    metadata = metadata

    # SQLite counts up by itself only for its plain INTEGER.
    id: int | None = Field(
        default=None, sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    )
    visit: str = Field(index=True)
    kind: str
    caused_by: str
    t_ns: int = Field(sa_type=BigInteger)
    body: str = Field(sa_type=Text)
    """The event as JSON."""


class ReceiptRow(SQLModel, table=True):
    """A settled receipt as it was published. A verdict after settling adds a version; none is ever changed."""

    __tablename__ = "receipt"
    metadata = metadata

    receipt: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    visit: str = Field(index=True)
    settled_ns: int = Field(sa_type=BigInteger)
    body: str = Field(sa_type=Text)
    """The wire message as JSON."""
