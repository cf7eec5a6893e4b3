"""Small models and batches, for the tests of dl-seq2seq."""

import numpy as np
import torch

from dl_architectures.seq2seq.batches import Batch, Vocabulary, make_batch
from dl_architectures.seq2seq.config import ModelConfig
from dl_architectures.seq2seq.model import Seq2Seq
from dl_shared.data.reversal import Sequences

ATTENTIONS = ("bahdanau", "luong", "location")
CPU = torch.device("cpu")


def small_model(attention: str = "location", *, symbols: int = 4, seed: int = 0) -> Seq2Seq:
    torch.manual_seed(seed)
    return Seq2Seq(
        ModelConfig(vocab_size=symbols + 3, attention=attention, embedding_size=5, hidden_size=8)  # type: ignore[arg-type]
    )


def batch_of(rows: list[list[int]], *, symbols: int = 4) -> Batch:
    return make_batch(Vocabulary(tuple(range(symbols))).encode(Sequences.from_rows(rows)), CPU)


def random_rows(count: int, low: int, high: int, *, symbols: int = 4, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, symbols, rng.integers(low, high + 1)).tolist() for _ in range(count)]
