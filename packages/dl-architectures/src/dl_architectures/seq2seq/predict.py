"""A finished run -> predictions: one answer for each sequence, in the order given."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dl_architectures import checkpoints
from dl_architectures.devices import find_device
from dl_architectures.seq2seq.batches import DECODING_POSITIONS, Vocabulary, by_length, make_batch
from dl_architectures.seq2seq.config import Config, ModelConfig
from dl_architectures.seq2seq.decode import beam_search, greedy
from dl_architectures.seq2seq.model import Seq2Seq
from dl_architectures.seq2seq.options import EvaluateSequences, PredictOptions
from dl_shared.data.reversal import Sequences, parse_sequence
from dl_shared.errors import InputError
from dl_shared.runs import read_config
from dl_shared.tasks import reversal


def predict_sequences(
    model: Seq2Seq, vocabulary: Vocabulary, sequences: Sequences, *, beam: int = 1
) -> tuple[Sequences, np.ndarray]:
    """Reverse sequences.

    Args:
        model: as trained; on any device.
        vocabulary: the one it was trained with.
        sequences: what to reverse.
        beam: beginnings kept while searching; 1 is greedy decoding.

    Returns:
        the answers in the order of `sequences`, and the probability that the model gives to each.

    Raises:
        InputError: if a sequence is empty or holds an integer that the model does not know.
    """
    device = next(model.parameters()).device
    sources = vocabulary.encode(sequences)
    ids = np.zeros((len(sources), sources.shape[1] + 2), np.int64)
    log_probabilities = np.zeros(len(sources))
    for rows in by_length(sequences.lengths, DECODING_POSITIONS // beam):
        batch = make_batch(sources[rows], device)
        if beam == 1:
            decoded, _ = greedy(model, batch.source, batch.source_lengths)
        else:
            decoded = beam_search(model, batch.source, batch.source_lengths, beam)
        ids[rows, : decoded.ids.shape[1]] = decoded.ids.cpu().numpy()
        log_probabilities[rows] = decoded.log_probability.cpu().numpy()
    return vocabulary.decode(ids), np.exp(log_probabilities)


def attention_examples(model: Seq2Seq, vocabulary: Vocabulary, data: reversal.Data) -> list[reversal.AttentionExample]:
    """Attention on four test sequences: two of the lengths trained on, two beyond."""
    lengths = data.test.lengths
    trained = [
        data.test.take(np.flatnonzero(lengths == length)[:1])
        for length in np.quantile(lengths, (0.4, 1), method="nearest")
    ]
    longer = [data.longer[length].take(np.arange(1)) for length in sorted(data.longer)[3::2]]
    return [explain(model, vocabulary, source) for source in (*trained, *longer)]


def explain(model: Seq2Seq, vocabulary: Vocabulary, source: Sequences) -> reversal.AttentionExample:
    """The attention weights behind the greedy answer to one sequence."""
    batch = make_batch(vocabulary.encode(source), next(model.parameters()).device)
    decoded, weights = greedy(model, batch.source, batch.source_lengths)
    answer = vocabulary.decode(decoded.ids.cpu().numpy()).rows()[0]
    ended = decoded.ids.shape[1] > len(answer)
    return reversal.AttentionExample(
        source=("bos", *map(str, source.rows()[0]), "eos"),
        answer=(*map(str, answer), *(["eos"] if ended else [])),
        weights=weights[0].float().cpu().numpy(),
    )


def predict(options: PredictOptions) -> list[dict[str, Any]]:
    """The verb `predict`: reverse the sequences on the command line."""
    given = Sequences.from_rows([parse_sequence(text) for text in options.sequences])
    model, vocabulary = load_model(Path(options.run), find_device(options.device, threads=1))
    answers, probabilities = predict_sequences(model, vocabulary, given, beam=options.beam)
    return [
        {"source": _text(source), "prediction": _text(answer), "probability": float(probability)}
        for source, answer, probability in zip(given.rows(), answers.rows(), probabilities, strict=True)
    ]


def evaluate(options: EvaluateSequences) -> dict[str, Any]:
    """The verb `evaluate`: score a run on other sequences; the scores by length are on the run's page."""
    path = Path(options.run)
    config = read_config(path, Config)
    model, vocabulary = load_model(path, find_device(options.device, threads=config.threads))
    sequences, source = reversal.load_test(
        options.data,
        seed=options.seed,
        symbols=config.symbols,
        lengths=(options.min_length or config.min_length, options.max_length or config.max_length),
        count=options.count,
    )
    answers, _ = predict_sequences(model, vocabulary, sequences, beam=options.beam)
    return reversal.evaluate(path, sequences, answers, source)


def load_model(run: Path, device: torch.device) -> tuple[Seq2Seq, Vocabulary]:
    """The model of a run's best epoch, ready to predict, and its vocabulary.

    Raises:
        InputError: if the run has none, or its checkpoint is damaged.
    """
    path = run / "checkpoints" / "best.safetensors"
    parts, values = checkpoints.load(path)
    try:
        config = ModelConfig(**values["model"])
        symbols = tuple(int(symbol) for symbol in values["symbols"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    model = Seq2Seq(config)
    checkpoints.restore(path, parts, model)
    return model.to(device).eval(), Vocabulary(symbols)


def _text(row: list[int]) -> str:
    return " ".join(map(str, row))
