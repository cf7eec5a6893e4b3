"""What lies in a folder: which model, for which tasks, how large, on what terms. Imports no framework."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dl_architectures.nlp.names import Task
from dl_shared.errors import InputError
from dl_shared.files import read_json

Kind = Literal["causal", "classifier", "question", "summariser", "pictures"]

HEADS: dict[str, Kind] = {
    "ForCausalLM": "causal",
    "LMHeadModel": "causal",
    "ForSequenceClassification": "classifier",
    "ForQuestionAnswering": "question",
}
# Encoder-decoders of text; others, of pictures or sound, have heads of the same names.
SUMMARISERS = frozenset(
    ("bart", "bigbird_pegasus", "led", "longt5", "mbart", "mt5", "pegasus", "pegasus_x", "prophetnet", "t5", "umt5")
)
PLAIN = ("model.safetensors", "diffusion_pytorch_model.safetensors")
SHARD = re.compile(r"(?:diffusion_pytorch_)?model-\d+-of-(?P<total>\d+)\.safetensors")
DEPTH = 2  # folders below a root among which models are looked for
LARGE = 1_500_000_000  # parameters, from which on a CPU is given bfloat16 to save memory
LARGEST_HEADER = 100_000_000  # bytes, as in safetensors itself


@dataclass(frozen=True)
class Contents:
    """A model's folder.

    Attributes:
        kind: by which it is loaded.
        tasks: that it can do.
        bytes: of the files of weights.
        parameters: in them.
        licence: as its card says.
        pixels: of each side of its pictures, where that can be told.
    """

    kind: Kind
    tasks: tuple[Task, ...]
    bytes: int
    parameters: int
    licence: str
    pixels: int | None = None


def is_model(folder: Path) -> bool:
    """Whether a folder looks like a model's."""
    return (folder / "model_index.json").is_file() or (folder / "config.json").is_file()


def contents(folder: Path) -> Contents:
    """Describe a model in the layout of transformers or diffusers.

    Raises:
        InputError: if it is no model, is for no task here, or has no weights as safetensors.
    """
    if not is_model(folder):
        raise InputError(f"{folder} holds no model: there is neither config.json nor model_index.json")
    kind: Kind | None
    if (folder / "model_index.json").is_file():
        kind, chats = "pictures", False
        parts = [name for name, value in _read_object(folder / "model_index.json").items() if isinstance(value, list)]
        files = [file for part in parts for file in _weights(folder / part)]
        for file in files:  # without it a library makes a network of its own choice, most often a large one
            _read_object(file.parent / "config.json")
    else:
        config = _read_object(folder / "config.json")
        kind, chats = kind_of(config), _can_chat(folder)
        files = _weights(folder)
        if kind is None:
            raise InputError(f"{folder} holds a model for none of the tasks ({_architecture(config) or 'not stated'})")
    if not files:
        raise InputError(f"{folder} holds no weights as safetensors; weights that run code when read are not read")
    size, parameters = measure(files)
    return Contents(
        kind=kind,
        tasks=tasks_of(kind, chats),
        bytes=size,
        parameters=parameters,
        licence=licence(folder),
        pixels=_pixels(folder) if kind == "pictures" else None,
    )


def _pixels(folder: Path) -> int | None:
    """Of a pipeline: what its network draws, as many times larger as its autoencoder makes it."""
    drawing = _config(folder, "unet") or _config(folder, "transformer")
    side, blocks = drawing.get("sample_size"), _config(folder, "vae").get("block_out_channels")
    if not isinstance(side, int) or not isinstance(blocks, list):
        return None
    return side * 2 ** (len(blocks) - 1)  # each block but the last halves the sides


def _config(folder: Path, part: str) -> dict[str, Any]:
    file = folder / part / "config.json"
    return _read_object(file) if file.is_file() else {}


def _read_object(file: Path) -> dict[str, Any]:
    """What a JSON file says of a model.

    Raises:
        InputError: if it is missing, damaged, or says nothing of any.
    """
    values = read_json(file)
    if not isinstance(values, dict):
        raise InputError(f"{file} is damaged; fetch the model again")
    return values


def measure(files: Iterable[Path]) -> tuple[int, int]:
    """Bytes of files of safetensors, and the numbers in them.

    Raises:
        InputError: if one is damaged.
    """
    files = list(files)
    return sum(file.stat().st_size for file in files), sum(map(_parameters, files))


def licence(folder: Path) -> str:
    """What the front matter of a model's card says."""
    card = folder / "README.md"
    if not card.is_file():
        return "not stated"
    front = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    found = dict(re.findall(r"^(license|license_name): *['\"]?([^'\"\n]+)", front.group(1), re.M)) if front else {}
    stated = found.get("license", "not stated").strip()
    return found.get("license_name", stated).strip() if stated == "other" else stated


def kind_of(config: dict[str, Any]) -> Kind | None:
    """What a model is by its config.json; None if it is of no use here."""
    architecture = _architecture(config)
    if architecture.endswith("ForConditionalGeneration"):
        return "summariser" if config.get("model_type") in SUMMARISERS else None
    return next((kind for head, kind in HEADS.items() if architecture.endswith(head)), None)


def tasks_of(kind: Kind, can_chat: bool) -> tuple[Task, ...]:
    """The tasks that a kind of model can do."""
    if kind == "causal":
        return ("next-word", "generate", "chat") if can_chat else ("next-word", "generate")
    tasks: dict[Kind, Task] = {"classifier": "sentiment", "question": "question", "summariser": "summary"}
    return (tasks[kind],) if kind in tasks else ("image",)


def confined(path: Path, roots: Iterable[Path]) -> Path:
    """The folder, with links followed, if it lies under one of the roots.

    Raises:
        InputError: if it does not; the message says the same whether the folder exists or not.
    """
    real = path.resolve()
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        raise InputError(f"{path} is not under a folder of models; name such a folder with --models-dir")
    if not real.is_dir():
        raise InputError(f"there is no folder {path}")
    return real


def models_under(roots: Sequence[Path]) -> list[Path]:
    """The folders of models under some roots, sorted; a root may be a model itself. No link leads out of them."""
    found = set()
    for root in roots:
        level = [root]
        for _ in range(DEPTH + 1):
            found |= {folder.resolve() for folder in level if is_model(folder)}
            level = [below for folder in level if not is_model(folder) for below in _folders(folder)]
    homes = [root.resolve() for root in roots]
    return sorted(folder for folder in found if any(folder.is_relative_to(home) for home in homes))


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return []


def _architecture(config: dict[str, Any]) -> str:
    named = config.get("architectures")
    return named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""


def _can_chat(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    file = folder / "tokenizer_config.json"
    return file.is_file() and bool(_read_object(file).get("chat_template"))


def chosen_weights(names: Iterable[str], *, half: bool = False) -> list[str]:
    """Of the files in a folder, those with the weights that are read: one of them, or all shards; [] if there are none.

    Args:
        names: of the files.
        half: prefer half precision, to fetch less; else it is taken where there is nothing else.
    """
    found = sorted(name for name in names if name.endswith(".safetensors"))
    plain = [name for name in found if name in PLAIN]
    shards = [name for name in found if SHARD.fullmatch(name)]
    halves = [name for name in found if name.endswith(".fp16.safetensors") and ".non_ema." not in name]
    order = (halves, plain, shards) if half else (plain, shards, halves)
    return next(filter(None, order), [])


def _weights(folder: Path) -> list[Path]:
    """The files of weights in a folder.

    Raises:
        InputError: if some of several are missing.
    """
    names = chosen_weights(path.name for path in folder.glob("*.safetensors"))
    shard = SHARD.fullmatch(names[0]) if names else None
    if shard is not None and int(shard["total"]) != len(names):
        raise InputError(f"{folder} has {len(names)} of {int(shard['total'])} files of weights; fetch the model again")
    return [folder / name for name in names]


def _parameters(file: Path) -> int:
    """Numbers in a file of safetensors, from its header alone.

    Raises:
        InputError: if it is damaged.
    """
    try:
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if length > LARGEST_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(opened.read(length))
        header.pop("__metadata__", None)
        return sum(math.prod(tensor["shape"]) for tensor in header.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged, or no file of safetensors ({error})") from None
