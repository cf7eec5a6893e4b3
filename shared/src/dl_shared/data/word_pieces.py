"""Where there is no pretrained model: a tokenizer made from the training texts, and the options of a small BERT.

It needs the library tokenizers, which comes with transformers.
"""

from typing import Any

VOCAB_SIZE = 8000
SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}


def train_word_pieces(texts: list[str]) -> Any:
    """Word pieces as in BERT (Wu et al. 2016, arXiv:1609.08144, section 4.1), as a `tokenizers.Tokenizer`.

    Deterministic in the texts. The special tokens are the first, in the order of `SPECIAL`.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer: Any = Tokenizer(models.WordPiece(unk_token=SPECIAL["unk_token"]))  # type: ignore[call-arg]
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCAB_SIZE, show_progress=False, special_tokens=list(SPECIAL.values())
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = {name: index for index, name in enumerate(SPECIAL.values())}
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    return tokenizer


def small_bert(vocab_size: int, max_length: int) -> dict[str, Any]:
    """The options of a BERT of a million parameters and its embeddings, by the names that transformers has for them.

    Args:
        vocab_size: tokens, the first of which pads.
        max_length: positions that the model has at least.
    """
    return {
        "vocab_size": vocab_size,
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "max_position_embeddings": max(512, max_length),
        "pad_token_id": 0,
    }
