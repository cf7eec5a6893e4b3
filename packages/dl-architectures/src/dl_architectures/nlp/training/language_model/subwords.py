"""The language model's sub-words, and texts and dialogues as streams of them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from dl_architectures.nlp.training.language_model.dialogues import Dialogue
from dl_architectures.nlp.training.language_model.texts import Part
from dl_shared.data.tokens import Tokens

PAD, BEGIN, END = "<|pad|>", "<|begin|>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train_subwords(part: Part, vocab_size: int, context: int) -> Any:
    """Byte-pair encoding of bytes (Sennrich et al. 2016; Radford et al. 2019, section 2.2), as transformers has it.

    No text is unknown to it. Deterministic in the texts.
    """
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(  # type: ignore[call-arg]
        vocab_size=vocab_size,
        show_progress=False,
        special_tokens=[PAD, BEGIN, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    texts = [text for documents in part.documents.values() for text in documents]
    tokenizer.train_from_iterator(texts + [turn for dialogue in part.dialogues for turn in dialogue.turns], trainer)
    begin = tokenizer.token_to_id(BEGIN)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, begin)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES),
        model_max_length=context,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def laid_out(dialogue: Dialogue) -> str:
    """A dialogue as the chat template lays it out."""
    return BEGIN + "".join(f"<|{message['role']}|>{message['content'].strip()}{END}" for message in dialogue.messages)


def encode_documents(tokenizer: Any, documents: Sequence[str]) -> Tokens:
    """Documents between their begin and their end."""
    return _encoded(tokenizer, [f"{BEGIN}{text}{END}" for text in documents])


def encode_dialogues(tokenizer: Any, dialogues: Sequence[Dialogue]) -> Tokens:
    """Dialogues, with the marks of whose turn it is."""
    return _encoded(tokenizer, [laid_out(dialogue) for dialogue in dialogues])


def _encoded(tokenizer: Any, texts: list[str]) -> Tokens:
    encoded = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    return Tokens.of([encoding.ids for encoding in encoded])


class Windows:
    """Training examples of one length: all texts behind each other, in another order each epoch, cut into windows.

    Args:
        tokens: of all texts.
        repeats: how often each text is read in an epoch.
        context: inputs of a window; it has one token more, the last label.
        seed: of the orders.
    """

    def __init__(self, tokens: Tokens, repeats: Int[np.ndarray, " texts"], *, context: int, seed: int) -> None:
        self.tokens, self.context, self.seed = tokens, context, seed
        self.texts = np.repeat(np.arange(len(tokens)), repeats)
        self.count = (int(tokens.lengths[self.texts].sum()) - 1) // context
        self._stream = lru_cache(maxsize=1)(self._make_stream)

    def _make_stream(self, epoch: int) -> Int[np.ndarray, " tokens"]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.texts)
        return np.concatenate([self.tokens[text] for text in order.tolist()])

    def batch(self, epoch: int, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, "batch window"]:
        """Some windows of an epoch, by their number; labels are what inputs are one place further on."""
        starts = rows[:, None] * self.context
        return self._stream(epoch)[starts + np.arange(self.context + 1)].astype(np.int64)
