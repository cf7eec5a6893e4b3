"""Train the language model, test what was written, and write its card."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dl_architectures.devices import describe_device, find_device
from dl_architectures.nlp.training.cards import Card, Figure, command, write_card
from dl_architectures.nlp.training.language_model import scoring
from dl_architectures.nlp.training.language_model.config import MODULE, PRESETS, Config
from dl_architectures.nlp.training.language_model.model import export, load_exported, new_model, window_loss
from dl_architectures.nlp.training.language_model.subwords import Windows, train_subwords
from dl_architectures.nlp.training.language_model.texts import Texts, load
from dl_architectures.nlp.training.loop import run_steps
from dl_shared.data.backbones import explaining
from dl_shared.data.tokens import Tokens
from dl_shared.errors import InputError
from dl_shared.plots.curves import training_curves
from dl_shared.progress import say
from dl_shared.report import write_page
from dl_shared.runs import Run


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, write the model, test what was written; returns the run directory.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    with Run.start(
        MODULE,
        config,
        task="language-model",
        framework="pytorch",
        primary="bits_per_byte",
        higher_is_better=False,
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        device = find_device(config.device)
        texts = load(config.data, config.seed)
        tokenizer = kept_subwords(run, config, texts)
        encoded = {
            name: scoring.encoded(tokenizer, part)
            for name, part in (("train", texts.train), ("validation", texts.validation), ("test", texts.test))
        }
        record_data(run, texts, encoded)
        model, seconds = fit(config, encoded, tokenizer, run, device)
        folder = Path(config.output) if config.output else run.path / "model"
        export(folder, model, tokenizer)
        cost = {"train_seconds": seconds, "parameters": model.num_parameters(), "device": describe_device(device)}
        run.update("cost", **cost, precision=config.precision)
        report(run, config, folder, texts, encoded)
        say(f"the model is in {folder}")
    return run.path


def kept_subwords(run: Run, config: Config, texts: Texts) -> Any:
    """The run's tokenizer; made when the run is new, read when it goes on."""
    from transformers import AutoTokenizer

    folder = run.path / "tokenizer"
    if not (folder / "tokenizer.json").is_file():
        temporary = run.path / "tokenizer.new"
        train_subwords(texts.train, config.vocab_size, config.context).save_pretrained(temporary)
        temporary.replace(folder)
    with explaining(f"the tokenizer in {folder}"):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def record_data(run: Run, texts: Texts, encoded: dict[str, dict[str, Tokens]]) -> None:
    """Write down what the run learns from."""
    rows = {part: sum(len(tokens) for tokens in sources.values()) for part, sources in encoded.items()}
    tokens = {name: len(tokens.ids) for name, tokens in encoded["train"].items()}
    run.record_data(source="; ".join(texts.sources), fingerprint=texts.fingerprint, rows=rows, tokens=tokens)


def fit(
    config: Config, encoded: dict[str, dict[str, Tokens]], tokenizer: Any, run: Run, device: torch.device
) -> tuple[Any, float]:
    """Train to the end, from the last checkpoint if there is one; returns the model and the seconds it took."""
    model = new_model(config, tokenizer).to(device)
    windows = training_windows(config, encoded["train"])
    epoch_steps = windows.count // config.batch_size
    if not epoch_steps:
        raise InputError(f"the texts make {windows.count} windows; --batch-size {config.batch_size} asks for more")

    def loss_of(step: int) -> Float[Tensor, ""]:
        epoch, place = divmod(step, epoch_steps)
        order = np.random.default_rng([config.seed, epoch, 1]).permutation(windows.count)
        rows = order[place * config.batch_size :][: config.batch_size]
        batch = torch.from_numpy(windows.batch(epoch, rows)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            return window_loss(model, batch)

    def validate() -> dict[str, float]:
        nats = {
            name: scoring.mean_nats(model, tokens.ids, config.context) for name, tokens in encoded["validation"].items()
        }
        return nats | {"loss": sum(nats.values()) / len(nats)}

    seconds = run_steps(
        run,
        "language_model",
        model,
        config,
        steps=config.epochs * epoch_steps,
        epoch_steps=epoch_steps,
        loss_of=loss_of,
        validate=validate,
    )
    return model, seconds


def training_windows(config: Config, sources: dict[str, Tokens]) -> Windows:
    """All texts, of which dialogues are read more often."""
    texts = [tokens[i] for tokens in sources.values() for i in range(len(tokens))]
    repeats = np.concatenate(
        [np.full(len(tokens), config.chat_passes if name == "dialogues" else 1) for name, tokens in sources.items()]
    )
    return Windows(Tokens.of(texts), repeats, context=config.context, seed=config.seed)


def report(run: Run, config: Config, folder: Path, texts: Texts, encoded: dict[str, dict[str, Tokens]]) -> None:
    """Test what was written beside an n-gram model, draw the curves, write card and page."""
    model, tokenizer = load_exported(folder)
    tests, sizes = encoded["test"], scoring.bytes_of(texts.test)
    nats = {name: scoring.mean_nats(model, tokens.ids, config.context) for name, tokens in tests.items()}
    trained = np.concatenate([tokens.ids for tokens in encoded["train"].values()])
    beside = scoring.compression(scoring.ngram_nats(trained, tests, len(tokenizer)), tests, sizes)
    test = scoring.compression(nats, tests, sizes)
    test["ended_turns"] = scoring.ended_turns(model, tokenizer, texts.test.dialogues, config.context)
    metrics = {"test": test, "baseline": {"name": f"Kneser-Ney, {scoring.ORDER} sub-words", **beside}, "optimum": None}
    run.update("metrics", **metrics)
    curves = training_curves(run.history(), {"loss": "loss (nats a sub-word)"})
    run.save_figure(curves, "curves", caption="Loss over training; validation is the mean over the kinds of text.")
    written = scoring.examples(model, tokenizer, config.seed)
    write_card(folder, describe(config, run, texts, metrics, written), run.summary["versions"])
    write_page(run.path)


def describe(config: Config, run: Run, texts: Texts, metrics: dict[str, Any], written: str) -> Card:
    """The card, from what this run measured."""
    test, baseline, cost, data = metrics["test"], metrics["baseline"], run.summary["cost"], run.summary["data"]
    where = f"{cost['device']}, {cost['precision']}"
    tokens = ", ".join(f"{count:,} of {name}" for name, count in data["tokens"].items())
    return Card(
        title="A very small language model for next words, texts and chat",
        metadata={
            "license": "other",
            "pipeline_tag": "text-generation",
            "library_name": "transformers",
            "language": "en",
        },
        about=(
            f"{cost['parameters'] / 1e6:.2f} million parameters in half precision, in Llama's layout "
            f"(`LlamaForCausalLM`): {config.layers} layers of {config.hidden_size} with {config.heads} heads, "
            f"{config.vocab_size:,} sub-words by byte-pair encoding, input and output embeddings shared, a context of "
            f"{config.context} tokens. It has a chat template with the roles system, user and assistant."
        ),
        data=(
            f"{'; '.join(texts.sources)}. Sub-words trained on: {tokens}. WikiText's sentences with a word left out "
            "were left out. The dialogues are made up from these texts by a program, with some small talk, since there "
            "were none at hand: they teach whose turn it is and that a turn ends. Take it that the weights are under "
            f"the terms of the texts. Fingerprint {data['fingerprint'][:16]}."
        ),
        command=command(MODULE, config, PRESETS["full"]),
        made=f"{config.epochs} epochs in {cost['train_seconds'] / 60:.0f} minutes ({where}).",
        libraries=("torch", "transformers"),
        measured_on=f"{data['rows']['test']:,} documents and dialogues that it never saw",
        baseline=baseline["name"],
        figures=[
            Figure(name="bits a byte, all", value=test["bits_per_byte"], beside=baseline["bits_per_byte"]),
            *(
                Figure(name=f"bits a byte, {name}", value=value, beside=baseline["per_source"][name])
                for name, value in test["per_source"].items()
            ),
            Figure(name="perplexity a sub-word", value=test["perplexity"], beside=baseline["perplexity"]),
            Figure(name=f"turns ended within {scoring.LONGEST_TURN} sub-words, share", value=test["ended_turns"]),
        ],
        examples=f"The first that came, with temperature 0.8 and top-p 0.95, seed {config.seed}.\n\n{written}",
        limits=(
            "It writes English that looks like film reviews, old plays and articles, and means nothing by it. It knows "
            "no facts, follows no instructions and remembers little of a conversation. What the reviews say of people "
            "and films, fair or not, is in it. Take a larger model for anything but a first look."
        ),
    )
