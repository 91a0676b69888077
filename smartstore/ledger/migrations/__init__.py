"""The tables of the journal from their first version on: Alembic's steps, carried by the package."""
