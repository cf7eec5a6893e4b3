"""Fixtures of xla-imdb: a table of a few reviews, and a tiny BERT in a folder with a tokenizer made from them."""

import pytest

from dl_shared.data.word_pieces import SPECIAL, train_word_pieces
from dl_shared.sample.reviews import make_reviews
from dl_shared.testing import write_few_reviews

# Small enough to train in a second after compilation; every test that trains changes what it is about.
SMALL = {
    "epochs": 2,
    "batch_size": 16,
    "max_length": 24,
    "row_length": 48,
    "train_reviews": 0,
    "frozen": 0,
    "learning_rate": 1e-3,
    "precision": "fp32",
}
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}


@pytest.fixture(scope="session")
def few_reviews(tmp_path_factory):
    return write_few_reviews(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """A BERT of two layers, 32 wide, with weights and tokenizer as `save_pretrained` writes them."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = train_word_pieces(make_reviews(150, 0).texts)
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=pieces.get_vocab_size(), pad_token_id=0, **SIZES)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=pieces, model_max_length=64, **SPECIAL).save_pretrained(folder)
    return folder
