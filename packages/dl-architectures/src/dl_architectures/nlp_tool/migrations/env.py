"""Alembic runs this for every command; the connection comes from `database.open_database`, inside its transaction."""

from alembic import context

from dl_architectures.nlp_tool.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="nlp_version",  # a PostgreSQL database may hold another program's `alembic_version`
    render_as_batch=True,  # SQLite cannot alter a column: a revision copies the table
)
with context.begin_transaction():
    context.run_migrations()
