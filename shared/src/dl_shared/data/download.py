"""Download a file once: resumed where it broke off, checked against its published checksum, with progress."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

import requests

from dl_shared.errors import InputError
from dl_shared.progress import progress

TIMEOUT = (5.0, 30.0)  # seconds to connect, and between two pieces of the answer
ATTEMPTS = 5
CHUNK = 1 << 14  # bytes; what has come of a chunk is lost when the connection breaks


class DownloadError(InputError):
    """A file cannot be fetched; the message says from where and why."""


class _Interrupted(Exception):  # noqa: N818
    """The connection broke, or the server is busy: worth another attempt."""


def download(url: str, target: Path, *, md5: str | None = None, attempts: int = ATTEMPTS, pause: float = 1.0) -> Path:
    """Fetch `url` into `target`, unless it is there already.

    What has arrived is kept in `<target>.part`, and a later call, in this process or another, asks the server for the
    rest. The target appears only when it is whole, and its checksum, when one is given, is right.

    Args:
        url: http or https.
        target: the file to make; its folder is made too.
        md5: hexadecimal; guards against damage, not against malice.
        attempts: how many attempts in a row may bring nothing: no connection, a busy server.
        pause: seconds before the second attempt, doubled for each further one.

    Raises:
        DownloadError: if the server has no such file, keeps failing, or sends something else than was published.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(target.name + ".part")) as part:
        if target.exists():  # another process has fetched it while we waited for the lock
            return target
        failures = 0
        while True:
            had = part.seek(0, os.SEEK_END)
            try:
                _receive(url, part, f"download {target.name}")
                break
            except _WORTH_ANOTHER as error:
                failures = 1 if part.seek(0, os.SEEK_END) > had else failures + 1
                if failures >= attempts:
                    raise DownloadError(f"{url} cannot be fetched: {_reason(error)}") from None
                time.sleep(pause * 2 ** (failures - 1))
            except requests.RequestException as error:  # a malformed address, an endless redirection
                raise DownloadError(f"{url} cannot be fetched: {_reason(error)}") from None
        if md5 is not None and (found := _md5(part)) != md5:
            part.truncate(0)
            raise DownloadError(f"{url} sent a file with MD5 {found}, expected {md5}: it is damaged or was replaced")
        part.flush()
        os.fsync(part.fileno())
        Path(part.name).replace(target)
    return target


_WORTH_ANOTHER = (_Interrupted, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


@contextmanager
def _locked(path: Path) -> Iterator[BufferedRandom]:
    """Open for appending, by one process at a time; removed when nothing has arrived."""
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file
        finally:
            if path.exists() and path.stat().st_size == 0:
                path.unlink()


def _receive(url: str, part: BufferedRandom, label: str) -> None:
    """Append what is missing. A server that ignores the range, or has another file by now, starts us from nothing."""
    have = part.seek(0, os.SEEK_END)
    headers = {"Accept-Encoding": "identity"}  # ranges and lengths count the file's own bytes
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # nothing is missing
            part.truncate(0)
            raise _Interrupted("the server's file is shorter than what had arrived")
        if response.status_code >= 500 or response.status_code == requests.codes.too_many_requests:
            raise _Interrupted(f"the server answers {response.status_code} {response.reason}")
        if response.status_code >= 400:
            raise DownloadError(f"{url} cannot be fetched: the server answers {response.status_code} {response.reason}")
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.truncate(0)
            have = 0
        length = int(response.headers.get("Content-Length", 0))
        with progress(have + length, label, unit="bytes", done=have) as bar:
            arrived = 0
            for chunk in response.iter_content(CHUNK):
                part.write(chunk)
                arrived += len(chunk)
                bar.advance(len(chunk))
        if length and arrived != length:
            raise _Interrupted(f"the connection broke off after {have + arrived:,} of {have + length:,} bytes")


def _md5(part: BufferedRandom) -> str:
    part.flush()
    part.seek(0)
    return hashlib.file_digest(part, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _reason(error: Exception) -> str:
    """The innermost message of what requests and urllib3 wrap into each other."""
    text = str(error)
    if any(marker in text for marker in ("NameResolutionError", "NewConnectionError", "ConnectTimeoutError")):
        return "no connection to the server"
    if "IncompleteRead" in text or "Connection broken" in text:
        return "the connection keeps breaking off; the same command goes on where it stopped"
    return text
