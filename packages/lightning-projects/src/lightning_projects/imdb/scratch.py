"""A small BERT that has learned nothing, and a tokenizer made from the texts that it is to learn from.

For machines without any pretrained model, and for tests: it learns the sample reviews, and is no match for a
pretrained one on real ones.
"""

from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, PreTrainedTokenizerFast

VOCAB_SIZE = 8000
SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
HIDDEN, LAYERS, HEADS = 128, 4, 4


def untrained(texts: list[str], max_length: int) -> tuple[Any, PreTrainedTokenizerFast]:
    """Configuration and tokenizer; deterministic in the texts.

    Args:
        texts: from which the vocabulary is taken, word pieces as in BERT (Wu et al. 2016, section 4.1).
        max_length: positions that the model has at least.
    """
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL["unk_token"]))  # type: ignore[call-arg]
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment]
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCAB_SIZE, show_progress=False, special_tokens=list(SPECIAL.values())
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = {name: index for index, name in enumerate(SPECIAL.values())}  # special tokens are the first
    tokenizer.post_processor = processors.BertProcessing(  # type: ignore[assignment]
        ("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"])
    )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=max(512, max_length), **SPECIAL)
    config = BertConfig(
        vocab_size=len(wrapped),
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN,
        max_position_embeddings=max(512, max_length),
        pad_token_id=wrapped.pad_token_id,
    )
    return config, wrapped
