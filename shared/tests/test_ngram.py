"""The n-gram model: proper probabilities, the right arithmetic, and no peeking."""

import math

import numpy as np
import pytest

from dl_shared.baselines import ngram
from dl_shared.baselines.ngram import KneserNey, ngram_baseline


def zipf_text(n: int, seed: int = 0) -> np.ndarray:
    """A second-order process with enough rare n-grams to estimate every discount."""
    rng = np.random.default_rng(seed)
    text = [1, 2]
    for _ in range(n):
        text.append((text[-1] * 7 + text[-2] * 3 + min(int(rng.zipf(1.7)), 40)) % 29)
    return np.array(text)


@pytest.mark.parametrize("order", [1, 2, 4, 7])
def test_probabilities_sum_to_one_after_any_context(order):
    model = KneserNey(zipf_text(3000), vocab_size=32, order=order)
    for context in ([], [5], zipf_text(10), [31, 30, 31, 30, 31, 30], [5, 31, 7], [31, 5, 7]):  # 30, 31: never seen
        distribution = model.distribution(np.asarray(context, dtype=np.int64))
        assert distribution.sum() == pytest.approx(1, abs=1e-12)
        assert (distribution > 0).all()


def test_bigrams_by_hand():
    """Text abcab: few counts of counts, so every discount is one half."""
    model = KneserNey(np.array([0, 1, 2, 0, 1]), vocab_size=4, order=2)
    # Unigrams by continuation: a, b and c each follow one other letter, discount 1/2: (1 - 1/2) / 3 + (3/2 / 3) * 1/4.
    unigram = 0.5 / 3 + 0.5 / 4
    assert model.distribution(np.array([3]))[0] == pytest.approx(unigram)
    # After a: ab twice, discount 1/2.
    assert model.distribution(np.array([0]))[1] == pytest.approx(1.5 / 2 + 0.5 / 2 * unigram)
    assert model.distribution(np.array([0]))[3] == pytest.approx(0.5 / 2 * 0.5 / 4)


def test_discounts_follow_chen_and_goodman():
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 3])
    y = 8 / 16
    assert ngram._discounts(counts) == pytest.approx([0, 1 - 2 * y * 4 / 8, 2 - 3 * y * 2 / 4, 3 - 4 * y * 1 / 2])


def test_scoring_a_text_equals_scoring_each_character_after_its_past():
    model, text = KneserNey(zipf_text(2000), 32, 5), zipf_text(50, seed=1)
    context = zipf_text(20, seed=2)
    whole = model.nats(text, context=context)
    past = np.concatenate([context, text])
    each = [-math.log(model.distribution(past[: len(context) + i])[text[i]]) for i in range(len(text))]
    assert whole == pytest.approx(each)
    assert model.nats(text)[0] == pytest.approx(-math.log(model.distribution(text[:0])[text[0]]))


def test_learns_what_lies_within_its_order_and_nothing_beyond():
    train, test = zipf_text(20_000), zipf_text(2000, seed=1)
    losses = [KneserNey(train, 29, order).nats(test).mean() for order in (1, 2, 3)]
    assert losses[2] < min(losses[:2]) - 0.5  # the process has a memory of two, and one alone says little


def test_baseline_chooses_on_validation_and_is_cached(monkeypatch):
    train, validation, test = zipf_text(5000), zipf_text(500, 1), zipf_text(500, 2)
    first = ngram_baseline(train, validation, test, 29, orders=(1, 3, 5))
    assert int(first["order"]) == (1, 3, 5)[int(first["validation_loss"].argmin())]
    context = np.concatenate([train, validation])
    assert first["nats"] == pytest.approx(KneserNey(train, 29, int(first["order"])).nats(test, context))
    monkeypatch.setattr(ngram, "KneserNey", None)  # a second fit would fail
    assert (ngram_baseline(train, validation, test, 29, orders=(1, 3, 5))["nats"] == first["nats"]).all()


def test_refuses_a_text_shorter_than_one_ngram():
    with pytest.raises(ValueError, match="at least order"):
        KneserNey(np.array([1, 2]), 4, 3)
