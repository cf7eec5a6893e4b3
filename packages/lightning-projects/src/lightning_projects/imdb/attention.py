"""What the model attends to in a review, and a test of whether that decides.

Each review becomes a page with every layer and head. The test deletes the tokens that attention ranks highest, and
sees how far the probability of the predicted class falls: further than with random tokens, if attention is faithful.
Jain and Wallace 2019 (arXiv:1902.10186) doubt that it is; the test is the comprehensiveness of DeYoung et al. 2020
(arXiv:1911.03429).
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from dl_shared.data.encoding import encode, spans, special_tokens
from dl_shared.data.reviews import CLASSES, clean
from dl_shared.data.tokens import Tokens, kept_positions
from dl_shared.errors import InputError
from dl_shared.files import write_json
from dl_shared.metrics.attention import RANDOM, REFERENCE, SHARES, Deletions, highest, rollout
from dl_shared.progress import progress, say
from dl_shared.report.attention import Attention, write_attention_page
from dl_shared.tasks import imdb
from lightning_projects.imdb.data import load_reviews
from lightning_projects.imdb.model import longest_input
from lightning_projects.imdb.options import AttentionOptions
from lightning_projects.imdb.predict import as_in_training, load_predictor
from lightning_projects.imdb.train import Predictor

ROLLOUT, LAST = "attention rollout", "attention of the last layer"
GRADIENT = REFERENCE


def attend(options: AttentionOptions) -> list[dict[str, Any]]:
    """Write a page for each review; one row for each, with the path of its page.

    Beside the pages lies deletions.json: the figures of the deletion test, and what they say in words.

    Raises:
        InputError: if a review is empty or not there, or the model cannot read so many tokens.
    """
    run = Path(options.run)
    predictor = load_predictor(run, attn_implementation="eager")  # the fused kernels do not tell their weights
    predictor = in_float32(predictor, options.max_length)
    folder = options.output or run / "attention"
    needs_data = options.index or options.reviews
    data = load_reviews(predictor.config, options.data) if needs_data else None
    chosen = choose(options, predictor, data)
    deletions, tested_on = None, ""
    if data is not None and options.reviews:
        texts = sample_texts(data, options.reviews, options.seed)
        say(f"deletion test on {len(texts)} test reviews")
        deletions = measure_deletions(predictor, texts, draws=options.draws, seed=options.seed)
        tested_on = f"{len(texts)} reviews of the test part of {data.source}"
        write_json(folder / "deletions.json", {"source": data.source, **deletions.summary()})
        for sentence in deletions.sentences:
            say(sentence)
    rows = []
    for name, text, label in chosen:
        seen = look(predictor, text, label)
        title = f"{run.parent.name}: {name}"
        path = folder / f"{name.replace(' ', '-')}.html"
        write_attention_page(path, seen, title=title, deletions=deletions, tested_on=tested_on)
        predicted = int(seen.probabilities.argmax())
        rows.append(
            {
                "review": name,
                "predicted": CLASSES[predicted],
                "confidence": float(seen.probabilities[predicted]),
                "label": label,
                "tokens": len(seen.tokens),
                "page": str(path),
            }
        )
    return rows


def in_float32(predictor: Predictor, max_length: int) -> Predictor:
    """The same model in float32, reading so many tokens; 0 for as many as in training.

    Raises:
        InputError: if it has no positions for them.
    """
    max_length = max_length or predictor.config.max_length
    if not 8 <= max_length <= longest_input(predictor.network):
        raise InputError(f"--max-length must be from 8 to {longest_input(predictor.network)}, got {max_length}")
    config = dataclasses.replace(predictor.config, max_length=max_length, precision="fp32")
    return Predictor(config, predictor.network, predictor.tokenizer)


def choose(
    options: AttentionOptions, predictor: Predictor, data: imdb.Data | None
) -> list[tuple[str, str, str | None]]:
    """The reviews asked for: what to call each, its text, and its label where it is known.

    Raises:
        InputError: if one is empty, or there is none of that number.
    """
    chosen: list[tuple[str, str, str | None]] = []
    for number, text in enumerate(options.text, start=1):
        if not clean(text):
            raise InputError(f"--text {number} is empty; give a review")
        chosen.append((f"text {number}", as_in_training([text], predictor.config)[0], None))
    for index in options.index:
        assert data is not None, "read where an index is given"
        if not 0 <= index < len(data.test):
            raise InputError(f"the test part has reviews 0 to {len(data.test) - 1:,}; there is no --index {index}")
        chosen.append((f"test review {index}", data.test.texts[index], CLASSES[data.test.labels[index]]))
    return chosen


def sample_texts(data: imdb.Data, count: int, seed: int) -> list[str]:
    """Test reviews drawn at random, without those that have no words left after cleaning."""
    order = np.random.default_rng(seed).permutation(len(data.test))
    return [text for text in (data.test.texts[row] for row in order) if text][:count]


def look(predictor: Predictor, text: str, label: str | None = None) -> Attention:
    """Attention weights, rankings and prediction for one review, in float32."""
    tokenizer, config = predictor.tokenizer, predictor.config
    ids, places = spans(tokenizer, text)
    before, after = special_tokens(tokenizer)
    kept = kept_positions(len(ids), config.max_length - len(before) - len(after), config.truncation).tolist()
    left_out = len(ids) - len(kept)
    weights, gradient, probabilities = explain(predictor, [*before, *(ids[i] for i in kept), *after])
    names = tokenizer.convert_ids_to_tokens
    words = [text[slice(*places[i])] or str(names(ids[i])) for i in kept]
    spaced = [i == 0 or text[places[i][0] - 1 : places[i][0]].isspace() for i in kept]
    cut = next((place for place, i in enumerate(kept) if i != place), len(kept))  # where tokens are left out
    return Attention(
        tokens=[*map(str, names(before)), *words, *map(str, names(after))],
        spaced=[False] * len(before) + spaced + [True] * len(after),
        special=[True] * len(before) + [False] * len(kept) + [True] * len(after),
        weights=weights,
        scores={ROLLOUT: rollout(weights)[0], LAST: weights[-1].mean(0)[0], GRADIENT: gradient},
        probabilities=probabilities,
        class_names=CLASSES,
        label=label,
        left_out=left_out,
        cut_before=len(before) + cut if left_out else None,
    )


def explain(
    predictor: Predictor, ids: Sequence[int]
) -> tuple[Float[np.ndarray, "layers heads tokens tokens"], Float[np.ndarray, " tokens"], Float[np.ndarray, " 2"]]:
    """Attention of all layers, gradient times input of each token, and the probabilities.

    Gradient times input is |e . dy/de|, with e the token's embedding and y the logit of the predicted class, as in
    Denil et al. 2014 (arXiv:1412.6815).
    """
    network: Any = predictor.network
    inputs = torch.tensor([list(ids)], device=predictor.device)
    embedded = network.get_input_embeddings()(inputs).detach().requires_grad_()
    output = network(inputs_embeds=embedded, output_attentions=True)
    (slope,) = torch.autograd.grad(output.logits.max(), embedded)
    gradient = (slope * embedded).sum(2)[0].abs()
    weights = torch.cat([layer.detach() for layer in output.attentions]).cpu().numpy()
    return weights, gradient.detach().cpu().numpy(), output.logits[0].detach().double().softmax(0).cpu().numpy()


def measure_deletions(predictor: Predictor, texts: Sequence[str], *, draws: int, seed: int) -> Deletions:
    """Rank the tokens of each review in each way, delete the first of them, and predict what is left.

    Args:
        predictor: with a network that tells its attention.
        texts: cleaned and preprocessed.
        draws: random orders for each review, whose drops are averaged.
        seed: of these.
    """
    before, after = special_tokens(predictor.tokenizer)
    first, last = len(before), len(after)
    lengths: Any = {"max_length": predictor.config.max_length, "truncation": predictor.config.truncation}
    tokens = encode(predictor.tokenizer, texts, **lengths)
    drops: dict[str, list[np.ndarray]] = {ROLLOUT: [], LAST: [], RANDOM: [], GRADIENT: []}
    rng = np.random.default_rng([seed, 1])
    with progress(len(tokens), "deletion test", unit="reviews") as bar:
        for ids in (tokens[text] for text in range(len(tokens))):
            weights, gradient, probabilities = explain(predictor, ids.tolist())
            words = slice(first, len(ids) - last)
            rankings = {
                ROLLOUT: [rollout(weights)[0, words]],
                LAST: [weights[-1].mean(0)[0, words]],
                RANDOM: list(rng.random((draws, len(ids) - first - last))),
                GRADIENT: [gradient[words]],
            }
            predicted = int(probabilities.argmax())
            for name, orders in rankings.items():
                left = remaining(predictor, ids, first, orders)[:, predicted]
                drops[name].append((probabilities[predicted] - left).reshape(len(orders), -1).mean(axis=0))
            bar.advance(1)
    return Deletions({name: np.array(values) for name, values in drops.items()})


def remaining(
    predictor: Predictor, ids: np.ndarray, first: int, orders: Sequence[np.ndarray]
) -> Float[np.ndarray, "variants 2"]:
    """Probabilities of what is left of a review, for each order and, within it, each share of the tokens deleted."""
    variants = [np.delete(ids, first + highest(order, share)) for order in orders for share in SHARES]
    return predictor.of_batch(Tokens.of(variants), np.arange(len(variants)))
