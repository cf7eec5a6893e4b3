"""How the feedback database is opened: SQLite in a file, or PostgreSQL, brought up to date by Alembic.

Many may open it at the same moment (two sessions, two processes, a new file): bringing it up to date is one
transaction under a lock, so that the first does the work and the others find it done. Alembic rather than a
version number of our own, because revisions outlive their authors: anyone who knows SQLAlchemy can write the next.
"""

import time
from pathlib import Path

import platformdirs
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from dl_shared.errors import InputError

LOCK_SECONDS = 30.0  # how long a writer waits for another
_ADVISORY_LOCK = 0x646C6E6C70  # "dlnlp": any number that no other program is likely to take


def default_url() -> str:
    """SQLite in the user's data folder."""
    return f"sqlite:///{platformdirs.user_data_path('dl-nlp-tool') / 'feedback.sqlite3'}"


def open_database(url: str | None = None) -> Engine:
    """Open the database, made if it is not there, and bring its tables up to date.

    Args:
        url: as SQLAlchemy writes it, `sqlite:///FILE` or `postgresql://USER@HOST/NAME`; `default_url()` unless given.

    Returns:
        An engine that threads may share. A transaction on SQLite holds the write lock from its first statement if the
        engine's execution option `begin` is `IMMEDIATE`.

    Raises:
        InputError: if there is no such database, if it cannot be written, or if a newer version made it.
    """
    parsed = _checked(url or default_url())
    try:
        engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else create_engine(parsed, pool_pre_ping=True)
        try:
            with engine.execution_options(begin="IMMEDIATE").begin() as connection:
                _bring_up_to_date(connection)
        except BaseException:
            engine.dispose()
            raise
    except ModuleNotFoundError as error:
        raise InputError(
            f"PostgreSQL needs the package {error.name}: pip install 'dl-architectures[postgresql]'"
        ) from None
    except DBAPIError as error:
        raise InputError(f"the database {_shown(parsed)} cannot be opened: {describe(error)}") from None
    except CommandError:
        raise InputError(
            f"the database {_shown(parsed)} was made by a newer version of dl-nlp-tool; update it, "
            "or name another with --database"
        ) from None
    return engine


def describe(error: DBAPIError) -> str:
    """What the database said, on one line, without our statement and the texts in it."""
    return " ".join(str(error.orig).split())


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise InputError("--database must be sqlite:///FILE or postgresql://USER@HOST/NAME")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise InputError("--database needs a file: sqlite:///FILE")
    # The driver that SQLAlchemy takes for a bare `postgresql://` depends on its version.
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _sqlite(url: URL) -> Engine:
    assert url.database is not None
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder of {_shown(url)} cannot be made: {error.strerror}") from None
    engine = create_engine(url, connect_args={"timeout": LOCK_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None  # else the driver begins when it sees fit: after a SELECT, before an INSERT
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged outlives a power cut, too

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads before it writes cannot wait for the lock of another: it takes its own at once.
        kind = connection.get_execution_options().get("begin", "DEFERRED")
        if kind is not None:
            connection.exec_driver_sql(f"BEGIN {kind}")

    _use_write_ahead_log(engine)
    return engine


def _use_write_ahead_log(engine: Engine) -> None:
    """Let readers and a writer work at once. The file remembers it.

    Of several processes that change the mode of a new file, SQLite refuses all but one without waiting.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with engine.execution_options(begin=None).connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _bring_up_to_date(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
