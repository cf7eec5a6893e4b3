"""Models of the Hugging Face hub: what it says of one, fetching it, and those that are on this machine."""

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from dl_architectures.nlp.answers import Loading
from dl_architectures.nlp.api import Model
from dl_architectures.nlp.background import followed
from dl_architectures.nlp.folders import chosen_weights, kind_of, tasks_of
from dl_architectures.nlp.sizes import bytes_in_words
from dl_shared.errors import InputError

ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
TEXTS = ("*.json", "*.jinja", "*.txt", "*.model", "README.md")
REPORT_SECONDS = 0.2


class Hub:
    """The hub, and the models fetched from it, in the folder that all programs of Hugging Face share.

    Args:
        cache: another folder for them.
        endpoint: another hub.
    """

    def __init__(self, cache: Path | None = None, endpoint: str | None = None) -> None:
        self._cache, self._endpoint = cache, endpoint

    @property
    def cache(self) -> Path:
        """The folder of fetched models."""
        if self._cache is not None:
            return self._cache
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE)

    def fetched(self) -> list[str]:
        """The ids of models of which something is on this machine."""
        return sorted(path.name.removeprefix("models--").replace("--", "/") for path in self.cache.glob("models--*"))

    def folder(self, hub_id: str) -> Path | None:
        """Where a fetched model lies; None if it is not here, or nothing of its weights is."""
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            # All texts, and whichever form of the weights was fetched.
            path = snapshot_download(hub_id, cache_dir=self.cache, local_files_only=True, allow_patterns=["*.json"])
        except (LocalEntryNotFoundError, HFValidationError):
            return None
        return Path(path) if any(Path(path).rglob("*.safetensors")) else None

    def look_up(self, hub_id: str) -> Model:
        """See `Tool.look_up`."""
        return self._plan(hub_id)[0]

    def download(self, hub_id: str, cancelled: Callable[[], bool]) -> Iterator[Loading]:
        """See `Tool.download`."""
        yield Loading(text=f"asking the hub for {hub_id}")
        model, files = self._plan(hub_id)
        total = model.bytes or 0
        text = f"fetching {hub_id}, {bytes_in_words(total)}"
        yield Loading(text=text, share=0.0)
        done = yield from self._fetch(hub_id, files, total, text, cancelled)
        if done:
            yield Loading(text=f"{hub_id} is here", share=1.0)

    def remove(self, hub_id: str) -> int:
        """See `Tool.remove`."""
        from huggingface_hub import scan_cache_dir

        if hub_id not in self.fetched():
            raise InputError(f"{hub_id} is not on this machine")
        cache = scan_cache_dir(self.cache)
        revisions = {
            revision.commit_hash
            for repo in cache.repos
            if (repo.repo_id, repo.repo_type) == (hub_id, "model")
            for revision in repo.revisions
        }
        strategy = cache.delete_revisions(*revisions)
        strategy.execute()
        left = self._repository(hub_id)  # of a download that was stopped, which has no revision yet
        freed = strategy.expected_freed_size + _bytes_in(left / "blobs")
        shutil.rmtree(left, ignore_errors=True)
        return freed

    def _repository(self, hub_id: str) -> Path:
        return self.cache / f"models--{hub_id.replace('/', '--')}"

    def _plan(self, hub_id: str) -> tuple[Model, list[str]]:
        """What the hub says of a model, and the files to fetch.

        Raises:
            InputError: if it cannot be had, or cannot be used here.
        """
        from huggingface_hub import HfApi

        check_id(hub_id)
        with _explaining(hub_id):
            info = HfApi(endpoint=self._endpoint).model_info(hub_id, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        weights = wanted_weights(list(sizes))
        if not weights:
            raise InputError(f"{hub_id} has no weights as safetensors; weights that run code when read are not read")
        config = info.config or {}
        pictures = "model_index.json" in sizes
        kind = "pictures" if pictures else kind_of(config)
        if kind is None:
            raise InputError(f"{hub_id} is for none of the tasks here")
        if "auto_map" in config and not config.get("model_type"):
            raise InputError(f"{hub_id} comes with code of its own, which is not run here")
        chats = bool((config.get("tokenizer_config") or {}).get("chat_template")) or "chat_template.jinja" in sizes
        texts = [name for name in sizes if _is_text(name) and ("/" not in name or pictures)]
        model = Model(
            id=hub_id,
            source="hub",
            tasks=tasks_of(kind, chats),
            title=hub_id.rpartition("/")[2],
            licence=_licence(info.card_data or {}),
            bytes=sum(sizes[name] for name in (*weights, *texts)),
            parameters=getattr(info.safetensors, "total", None),
            ready=self.folder(hub_id) is not None,
        )
        return model, [*texts, *weights]

    def _fetch(
        self, hub_id: str, files: list[str], total: int, text: str, cancelled: Callable[[], bool]
    ) -> Generator[Loading, None, bool]:
        """Fetch the files; returns whether all came."""
        blobs = self._repository(hub_id) / "blobs"

        def fetch(tell: Callable[[Loading | None], None]) -> str:
            from huggingface_hub import snapshot_download
            from tqdm import tqdm

            class Asking(tqdm):
                """A progress bar that is not drawn: it asks, with every block that arrives, whether to go on."""

                def __init__(self, *args: Any, **options: Any) -> None:
                    options.pop("name", None)
                    super().__init__(*args, **(options | {"disable": True}))
                    self.last = 0.0

                def update(self, n: int | float | None = 1) -> None:
                    now = time.monotonic()
                    if now - self.last < REPORT_SECONDS or not total:
                        tell(None)
                        return
                    self.last = now
                    tell(Loading(text=text, share=min(1.0, _bytes_in(blobs) / total)))

            with _explaining(hub_id):
                return snapshot_download(
                    hub_id, cache_dir=self.cache, endpoint=self._endpoint, allow_patterns=files, tqdm_class=Asking
                )

        return (yield from followed(fetch, cancelled)) is not None


def check_id(hub_id: str) -> None:
    """Refuse what is no id of a model.

    Raises:
        InputError: naming the form of one.
    """
    if not ID.fullmatch(hub_id):
        raise InputError(f"{hub_id!r} is no id of a model on the hub, such as owner/name")


def wanted_weights(names: Sequence[str]) -> list[str]:
    """Of the files of a repository, those with the weights to be read: in half precision where pipelines offer it."""
    if "model_index.json" not in names:
        return chosen_weights(names)
    parts: dict[str, list[str]] = {}
    for folder, _, name in (name.rpartition("/") for name in names if "/" in name):
        parts.setdefault(folder, []).append(name)
    return [f"{folder}/{name}" for folder, files in parts.items() for name in chosen_weights(files, half=True)]


def _is_text(name: str) -> bool:
    return any(Path(name).match(pattern) for pattern in TEXTS)


def _licence(card: Any) -> str:
    licence = card.get("license") or "not stated"
    return str(card.get("license_name") or licence) if licence == "other" else str(licence)


def _bytes_in(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):  # files are renamed when they are whole
        for file in folder.iterdir():
            total += file.stat().st_size
    return total


@contextlib.contextmanager
def _explaining(hub_id: str) -> Iterator[None]:
    """What the hub, or the way to it, refuses, in one line."""
    import httpx2
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        yield
    except OfflineModeIsEnabled:
        raise InputError("HF_HUB_OFFLINE is set, so that the hub is not asked; unset it to fetch models") from None
    except GatedRepoError:
        raise InputError(f"{hub_id} is for those who accepted its terms on its page; do so, and log in") from None
    except RepositoryNotFoundError:
        raise InputError(f"the hub has no model {hub_id}, or keeps it private") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.HTTPError, ConnectionError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:150]
        raise InputError(f"the hub cannot be reached ({reason}); try again, or take an embedded model") from None
