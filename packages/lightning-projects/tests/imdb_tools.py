"""Fixtures of lightning-imdb: a table of a few reviews, and a tiny BERT in a folder with a tokenizer made from them."""

import csv

import pytest

from dl_shared.sample.reviews import make_reviews

# Small enough to train in a second; every test that trains changes what it is about.
SMALL = {
    "epochs": 2,
    "batch_size": 16,
    "accumulate": 4,
    "max_length": 24,
    "learning_rate": 1e-3,
    "precision": "fp32",
}


def write_reviews(file, texts, labels, encoding="utf-8"):
    """Kaggle's columns."""
    with file.open("w", newline="", encoding=encoding) as opened:
        writer = csv.writer(opened)
        writer.writerow(["review", "sentiment"])
        writer.writerows(zip(texts, labels, strict=True))
    return file


@pytest.fixture(scope="session")
def few_reviews(tmp_path_factory):
    """A table of 150 reviews: 108 to train on, 12 for validation, 30 for testing."""
    made = make_reviews(150, 0)
    labels = ["positive" if label else "negative" for label in made.labels]
    return write_reviews(tmp_path_factory.mktemp("reviews") / "few.csv", made.texts, labels)


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
