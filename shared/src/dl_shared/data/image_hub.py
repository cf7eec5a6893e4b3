"""Fetch a published image data set: the Hugging Face hub's Parquet files first, then mirrors of the original files."""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from dl_shared.data.download import DownloadError, download
from dl_shared.data.image_parquet import missing_shards
from dl_shared.data.image_sets import ImageSet, Mirror
from dl_shared.errors import InputError
from dl_shared.files import cache_dir
from dl_shared.progress import say

PATTERNS = ("*/train-*.parquet", "*/test-*.parquet")
PATIENCE = 3.0  # seconds for a host to answer at all; the hub's own client would try again for most of a minute


@dataclass(frozen=True)
class Fetched:
    """Where the files lie now, and where they came from."""

    path: Path
    origin: str


def fetch(spec: ImageSet) -> Fetched:
    """Files of a data set, from disk when they were fetched before, else from the first place that has them.

    Raises:
        InputError: if there is neither; the message names the choices that need no network.
    """
    folder = cache_dir() / "downloads" / spec.name
    hub = Fetched(folder, f"the Hugging Face hub, {spec.hub_id}")
    if (stored := _stored_by_the_hub(spec)) is not None:
        return Fetched(stored, hub.origin)
    for mirror in spec.mirrors:
        if all((folder / name).exists() for name in mirror.files):
            return _of_mirror(mirror, folder)

    reasons: list[str] = []
    places: list[tuple[str, Callable[[], Fetched]]] = [
        (hub.origin, lambda: Fetched(_from_the_hub(spec), hub.origin)),
        *((mirror.base, lambda mirror=mirror: _from_mirror(mirror, folder)) for mirror in spec.mirrors),
    ]
    endpoints = [hub_endpoint(), *(mirror.base for mirror in spec.mirrors)]
    awake = answering(endpoints)
    for (place, get), endpoint in zip(places, endpoints, strict=True):
        if endpoint not in awake:
            reasons.append(f"{endpoint} does not answer")
            continue
        try:
            return get()
        except DownloadError as error:
            reasons.append(str(error))
            say(f"{place}: {error}; trying the next place")
    raise InputError(
        f"{spec.title} cannot be fetched ({'; '.join(reasons) or 'offline'}): use `--data sample`, "
        f"or `--data PATH` with {spec.title}'s files"
    )


def _of_mirror(mirror: Mirror, folder: Path) -> Fetched:
    """An archive is read as it is; several files are read as the folder that holds them."""
    path = folder / next(iter(mirror.files)) if len(mirror.files) == 1 else folder
    return Fetched(path, mirror.base)


def _from_mirror(mirror: Mirror, folder: Path) -> Fetched:
    for name, md5 in mirror.files.items():
        download(mirror.base + name, folder / name, md5=md5)
    return _of_mirror(mirror, folder)


def hub_endpoint() -> str:
    """Where the Hugging Face hub is: `$HF_ENDPOINT`, else the public one."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co")


def _stored_by_the_hub(spec: ImageSet) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(spec.hub_id, repo_type="dataset", local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    parts = [list(path.glob(pattern)) for pattern in PATTERNS]
    return path if all(files and not missing_shards(files) for files in parts) else None


def _from_the_hub(spec: ImageSet) -> Path:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # a reminder about tokens is not for our users
    say(f"download {spec.title} from the Hugging Face hub ({spec.hub_id})")
    patterns = list(PATTERNS)
    try:
        found = snapshot_download(spec.hub_id, repo_type="dataset", allow_patterns=patterns, etag_timeout=PATIENCE)
        return Path(found)
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx.HTTPError, ConnectionError, TimeoutError) as error:
        raise DownloadError(str(error)) from None


def answering(endpoints: list[str]) -> set[str]:
    """Which hosts answer anything within our patience. In threads, because looking up a name cannot be timed out."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return set()
    answered: set[str] = set()

    def ask(endpoint: str) -> None:
        try:
            requests.head(endpoint, timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException:
            return
        answered.add(endpoint)

    threads = [threading.Thread(target=ask, args=(endpoint,), daemon=True) for endpoint in endpoints]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE + 1)
    return set(answered)
