"""A small BERT that has learned nothing, and a tokenizer made from the texts that it is to learn from.

For machines without any pretrained model, and for tests: it learns the sample reviews, and is no match for a
pretrained one on real ones.
"""

from typing import Any

from transformers import BertConfig, PreTrainedTokenizerFast

from dl_shared.data.word_pieces import SPECIAL, small_bert, train_word_pieces


def untrained(texts: list[str], max_length: int) -> tuple[Any, PreTrainedTokenizerFast]:
    """Configuration and tokenizer; deterministic in the texts.

    Args:
        texts: from which the vocabulary is taken.
        max_length: positions that the model has at least.
    """
    pieces = train_word_pieces(texts)
    config = BertConfig(**small_bert(pieces.get_vocab_size(), max_length))
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=pieces, model_max_length=config.max_position_embeddings, **SPECIAL
    )
    return config, wrapped
