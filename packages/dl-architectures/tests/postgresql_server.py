"""A PostgreSQL server of the test's own, reached by a socket only."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg


def why_not():
    """Why no server can be started here; empty where one can."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        return "no PostgreSQL is installed"
    if os.getuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return ""


@contextmanager
def server(folder):
    """Yields the URLs of new databases, one after the other.

    Args:
        folder: for its files; not used by root, whom PostgreSQL refuses: it then runs as `postgres`.
    """
    account = {}
    if os.getuid() == 0:
        account = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []}
    home = Path(tempfile.mkdtemp(prefix="pg-", dir=None if account else folder))
    if account:
        shutil.chown(home, "postgres")
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": home} | account
    subprocess.run(["initdb", "-A", "trust", "-U", "tester", "--no-sync", "-D", home / "data"], **quiet)
    options = f"-k {home} -c listen_addresses='' -c fsync=off"
    control = ["pg_ctl", "-w", "-D", home / "data", "-l", home / "log"]
    subprocess.run([*control, "-o", options, "start"], **quiet)
    try:
        yield _databases(home)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(home)


def _databases(home):
    for n in range(100):
        with psycopg.connect(f"host={home} user=tester dbname=postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE d{n}")
        yield f"postgresql://tester@/d{n}?host={home}"
