"""The attention of a classifier over one text, as one HTML page that needs no other file and no network.

The page holds the weights of every layer and head, so that any of them can be looked at, from any token. A weight is
kept as the nearest of 64 steps of its square root, and all of them are compressed: 512 tokens in 72 heads take 7 MB.
Nothing of the text is ever markup or script: it is escaped where it is shown, and the data are JSON that cannot end
their element. The policy of the page admits its one script by its hash, and no connection to anywhere.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.metrics.attention import Deletions, check_weights
from dl_shared.plots.attention import deletion_curves
from dl_shared.report.render import embed, resource, with_script, write_html

STEPS = 63


@dataclass(frozen=True, kw_only=True)
class Attention:
    """What a model did with one text.

    Attributes:
        tokens: as they are to be shown, special ones included.
        spaced: whether space stands in front of each.
        special: whether each is special ([CLS], [SEP]): they draw much attention, and stand for no word.
        weights: the first layer first; rows are the tokens that look, and sum to 1.
        scores: further ways to rank the tokens, by name; the first is shown when the page opens.
        probabilities: of the classes.
        class_names: in the same order.
        label: the true class, where it is known.
        left_out: tokens that the model did not see, because the text was too long.
        cut_before: the token in front of which they stood.
    """

    tokens: Sequence[str]
    spaced: Sequence[bool]
    special: Sequence[bool]
    weights: Float[np.ndarray, "layers heads tokens tokens"]
    scores: Mapping[str, Float[np.ndarray, " tokens"]]
    probabilities: Float[np.ndarray, " classes"]
    class_names: Sequence[str]
    label: str | None = None
    left_out: int = 0
    cut_before: int | None = None
    notes: Sequence[str] = field(default=())
    """Sentences to be shown with the prediction."""

    def __post_init__(self) -> None:
        check_weights(self.weights, self.tokens)
        if not self.scores:
            raise ValueError("give one way to rank the tokens at least")
        lengths = {len(self.spaced), len(self.special), *map(len, self.scores.values())}
        if lengths != {len(self.tokens)}:
            raise ValueError(f"{len(self.tokens)} tokens, and values for {sorted(lengths)}")


def write_attention_page(
    path: Path, attention: Attention, *, title: str, deletions: Deletions | None = None, tested_on: str = ""
) -> Path:
    """Write the page of one text.

    Args:
        path: where it goes.
        attention: what the model did.
        title: of the page.
        deletions: of a deletion test over several texts, which says whether attention can be believed.
        tested_on: which texts those were.
    """
    first = next(iter(attention.scores.values()))
    return write_html(
        path,
        "attention.html.j2",
        title=title,
        attention=attention,
        predicted=attention.class_names[int(attention.probabilities.argmax())],
        classes=list(zip(attention.class_names, attention.probabilities.tolist(), strict=True)),
        shades=shades(first, attention.special).round(3).tolist(),
        style=resource("attention.css"),
        data=_as_json(attention),
        deletions=deletions,
        tested_on=tested_on,
        picture=None if deletions is None else embed(deletion_curves(deletions), "deletion test", ""),
        **with_script("attention.js"),
    )


def shades(scores: Float[np.ndarray, " tokens"], special: Sequence[bool]) -> Float[np.ndarray, " tokens"]:
    """Scores from 0 to 1, where 1 is the highest of a word; special tokens are cut there."""
    ordinary = np.abs(scores)[~np.asarray(special)]
    top = ordinary.max() if len(ordinary) else 0.0
    return np.clip(np.abs(scores) / top, 0, 1) if top > 0 else np.zeros(len(scores))


def quantize(weights: Float[np.ndarray, "..."]) -> bytes:
    """Each weight w as the whole number nearest to 63 sqrt(w), one byte each, in zlib's format."""
    steps = np.round(STEPS * np.sqrt(np.clip(weights, 0, 1))).astype(np.uint8)
    # Nothing repeats in them, so looking for repetitions takes time and makes them larger.
    compressor = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(steps.tobytes()) + compressor.flush()


def _as_json(attention: Attention) -> str:
    """The data of the script; `<` and `&` are written as escapes, so that no text can end the element that holds it."""
    layers, heads = attention.weights.shape[:2]
    data: dict[str, Any] = {
        "layers": layers,
        "heads": heads,
        "tokens": list(attention.tokens),
        "special": list(map(bool, attention.special)),
        "scores": [
            {"name": name, "values": [float(f"{value:.5g}") for value in values.tolist()]}
            for name, values in attention.scores.items()
        ],
        "steps": STEPS,
        "weights": base64.b64encode(quantize(attention.weights)).decode("ascii"),
    }
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII: other letters become \u escapes
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
