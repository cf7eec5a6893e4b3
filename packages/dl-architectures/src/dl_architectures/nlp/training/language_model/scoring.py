"""How good a language model is: bits for each byte of text never read, and whether it ends its turns."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from dl_architectures.nlp.training.language_model.dialogues import Dialogue
from dl_architectures.nlp.training.language_model.model import window_loss
from dl_architectures.nlp.training.language_model.subwords import encode_dialogues, encode_documents
from dl_architectures.nlp.training.language_model.texts import Part
from dl_shared.baselines.ngram import KneserNey
from dl_shared.data.tokens import Tokens

BATCH = 16
ORDER = 3  # of the n-gram model beside it
CHATS, LONGEST_TURN = 40, 120  # conversations tried, and tokens that a turn may take
SAMPLING = {"do_sample": True, "temperature": 0.8, "top_p": 0.95, "top_k": 0}
BEGINNINGS = ("I watched this film", "First Citizen:\n", "The city of")
QUESTIONS = ("Hello!", "Tell me about a film that you liked.")


def encoded(tokenizer: Any, part: Part) -> dict[str, Tokens]:
    """The tokens of each source, dialogues being one of them."""
    sources = {name: encode_documents(tokenizer, documents) for name, documents in part.documents.items()}
    return sources | {"dialogues": encode_dialogues(tokenizer, part.dialogues)}


def bytes_of(part: Part) -> dict[str, int]:
    """Of the text of each source, in UTF-8, without marks."""
    sizes = {name: sum(len(text.encode()) for text in documents) for name, documents in part.documents.items()}
    turns = [turn for dialogue in part.dialogues for turn in (dialogue.system, *dialogue.turns)]
    return sizes | {"dialogues": sum(len(turn.encode()) for turn in turns)}


@torch.inference_mode()
def mean_nats(model: Any, ids: Int[np.ndarray, " tokens"], context: int) -> float:
    """Of every token but the first, given those before it in its window."""
    model.eval()
    device = next(model.parameters()).device
    total, count = 0.0, 0
    stream = torch.from_numpy(ids.astype(np.int64))
    whole = (len(stream) - 1) // context
    windows = stream[: whole * context + 1].unfold(0, context + 1, context) if whole else stream[:0].reshape(0, 1)
    rest = stream[whole * context :][None]
    for batch in [*windows.split(BATCH), *([rest] if rest.shape[1] > 1 else [])]:
        if len(batch):
            labels = batch.shape[0] * (batch.shape[1] - 1)
            total += window_loss(model, batch.to(device)).item() * labels
            count += labels
    model.train()
    return total / count


def compression(nats: Mapping[str, float], tokens: Mapping[str, Tokens], sizes: Mapping[str, int]) -> dict[str, Any]:
    """From mean nats a token to bits a byte, which any tokenizer can be compared by; of each source and of all.

    Returns:
        `bits_per_byte`, `loss` (nats a token), `perplexity`, and `per_source` with the bits a byte of each.
    """
    bits = {name: value * (len(tokens[name].ids) - 1) / math.log(2) for name, value in nats.items()}
    loss = sum(bits.values()) * math.log(2) / sum(len(tokens[name].ids) - 1 for name in nats)
    return {
        "bits_per_byte": sum(bits.values()) / sum(sizes[name] for name in nats),
        "loss": loss,
        "perplexity": math.exp(loss),
        "per_source": {name: bits[name] / sizes[name] for name in nats},
    }


def ngram_nats(train: Int[np.ndarray, " tokens"], tests: Mapping[str, Tokens], vocab_size: int) -> dict[str, float]:
    """The same of a Kneser-Ney model of three sub-words."""
    model = KneserNey(train, vocab_size, ORDER)
    return {name: float(model.nats(tokens.ids[1:], tokens.ids[:1]).mean()) for name, tokens in tests.items()}


def write_on(model: Any, inputs: Any, tokenizer: Any, *, seed: int, tokens: int) -> tuple[str, bool]:
    """What the model writes next, and whether it came to an end by itself."""
    torch.manual_seed(seed)
    inputs = {name: value.to(model.device) for name, value in inputs.items() if name in ("input_ids", "attention_mask")}
    out = model.generate(**inputs, max_new_tokens=tokens, pad_token_id=tokenizer.pad_token_id, **SAMPLING)
    new = out[0, inputs["input_ids"].shape[1] :].tolist()
    return tokenizer.decode(new, skip_special_tokens=True), tokenizer.eos_token_id in new


def reply(model: Any, tokenizer: Any, messages: list[dict[str, str]], *, seed: int) -> tuple[str, bool]:
    """The assistant's turn, and whether it ended by itself."""
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    return write_on(model, inputs, tokenizer, seed=seed, tokens=LONGEST_TURN)


def ended_turns(model: Any, tokenizer: Any, dialogues: Sequence[Dialogue], context: int) -> float:
    """The share of first answers that end by themselves before `LONGEST_TURN` tokens."""
    first = [Dialogue(dialogue.system, dialogue.turns[:1]).messages for dialogue in dialogues]
    sizes = [sum(len(message["content"]) for message in messages) for messages in first]
    room = max(context - LONGEST_TURN, min(sizes))  # a sub-word has at least a character, and the shortest is tried
    short = [messages for messages, size in zip(first, sizes, strict=True) if size <= room][:CHATS]
    return float(np.mean([reply(model, tokenizer, messages, seed=i)[1] for i, messages in enumerate(short)]))


def examples(model: Any, tokenizer: Any, seed: int) -> str:
    """What the model writes, as Markdown: the first that came, none chosen."""
    shown = []
    for text in BEGINNINGS:
        inputs = tokenizer(text, return_tensors="pt")
        written, _ = write_on(model, inputs, tokenizer, seed=seed, tokens=50)
        shown.append(_quoted(f"{text}[...]{written}"))
    for text in QUESTIONS:
        answer, _ = reply(model, tokenizer, [{"role": "user", "content": text}], seed=seed)
        shown.append(_quoted(f"user: {text}\nassistant: {answer}"))
    return "\n\n".join(shown)


def _quoted(text: str) -> str:
    """As a block of code, whatever is in it."""
    return "\n".join("    " + line for line in text.splitlines())
