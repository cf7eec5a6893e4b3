"""Fixtures of lightning-imdb: a table of a few reviews, and a tiny BERT in a folder with a tokenizer made from them."""

import pytest

from dl_shared.sample.reviews import make_reviews
from dl_shared.testing import write_few_reviews

# Small enough to train in a second; every test that trains changes what it is about.
SMALL = {
    "epochs": 2,
    "batch_size": 16,
    "accumulate": 4,
    "max_length": 24,
    "learning_rate": 1e-3,
    "precision": "fp32",
}


@pytest.fixture(scope="session")
def few_reviews(tmp_path_factory):
    return write_few_reviews(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A BERT of two layers, 32 wide, with weights and tokenizer as `save_pretrained` writes them."""
    import torch
    from transformers import BertModel

    from lightning_projects.imdb import scratch

    config, tokenizer = scratch.untrained(make_reviews(150, 0).texts, 64)
    for name, value in (
        ("hidden_size", 32),
        ("num_hidden_layers", 2),
        ("intermediate_size", 64),
        ("max_position_embeddings", 64),
    ):
        setattr(config, name, value)
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
