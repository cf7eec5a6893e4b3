"""Revisions of the feedback database, applied by Alembic when it is opened."""
