"""Choosing characters: numbers worked by hand, and searches that can be checked by trying everything."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dl_shared.data.corpus import Vocabulary
from flax_projects.shakespeare.config import MODELS, PRESETS
from flax_projects.shakespeare.decode import Sampling, adjusted, beam_search, choose, keep_nucleus, keep_top_k
from flax_projects.shakespeare.model import LanguageModel
from flax_projects.shakespeare.writer import PIECE, Writer

LOGITS = jnp.log(jnp.array([0.1, 0.5, 0.15, 0.25]))


class TestNarrowing:
    def test_top_k_keeps_the_k_likeliest(self):
        assert np.isfinite(keep_top_k(LOGITS, 2)).tolist() == [False, True, False, True]
        assert np.isfinite(keep_top_k(LOGITS, 9)).all()

    @pytest.mark.parametrize(
        ("p", "kept"),
        [(0.4, [1]), (0.5, [1]), (0.6, [1, 3]), (0.76, [1, 2, 3]), (0.95, [0, 1, 2, 3])],
    )
    def test_nucleus_is_the_fewest_that_reach_p(self, p, kept):
        assert np.flatnonzero(np.isfinite(keep_nucleus(LOGITS, p))).tolist() == kept

    def test_rows_are_narrowed_each_for_itself(self):
        both = jnp.stack([LOGITS, LOGITS[::-1]])
        kept = np.isfinite(keep_nucleus(both, 0.6))
        assert kept.tolist() == [[False, True, False, True], [True, False, True, False]]

    def test_temperature_sharpens(self):
        # At temperature 1/2 probabilities are squared: 0.01, 0.25, 0.0225, 0.0625, in all 0.345.
        probabilities = jax.nn.softmax(adjusted(LOGITS, Sampling(temperature=0.5)))
        np.testing.assert_allclose(probabilities, np.array([0.01, 0.25, 0.0225, 0.0625]) / 0.345, rtol=1e-5)

    def test_draws_follow_the_narrowed_distribution(self):
        rows = jnp.broadcast_to(LOGITS, (20_000, 4))
        drawn = np.bincount(choose(jax.random.key(0), rows, Sampling(top_k=2)), minlength=4) / 20_000
        np.testing.assert_allclose(drawn, [0, 2 / 3, 0, 1 / 3], atol=0.02)

    def test_temperature_zero_takes_the_likeliest(self):
        assert choose(jax.random.key(0), LOGITS[None], Sampling(temperature=0.0)).tolist() == [1]


def toy_model(vocab, seed=0):
    """Logits that depend on the last two characters; the carry is the one before the last."""
    table = jnp.asarray(np.random.default_rng(seed).normal(size=(vocab, vocab, vocab)), jnp.float32)

    def model(ids, carry):
        before = jnp.concatenate([carry[:, None], ids[:, :-1]], axis=1)
        return table[before, ids], ids[:, -1]

    return model, table


class TestBeamSearch:
    VOCAB, LENGTH = 3, 4

    def every_continuation(self, table, prompt):
        """Each with its log probability."""
        exponents = np.exp(np.asarray(table, np.float64))
        logs = np.log(exponents / exponents.sum(-1, keepdims=True))
        found = {}
        for ids in itertools.product(range(self.VOCAB), repeat=self.LENGTH):
            text = [*prompt, *ids]
            found[ids] = sum(logs[text[at - 2], text[at - 1], text[at]] for at in range(len(prompt), len(text)))
        return found

    def test_with_enough_beams_it_is_exhaustive(self):
        model, table = toy_model(self.VOCAB)
        prompts = np.array([[0, 1], [2, 2]], np.int32)
        beams = self.VOCAB**self.LENGTH
        start = jnp.zeros(2, jnp.int32)
        ids, told = beam_search(model, jnp.asarray(prompts), start, beams=beams, length=self.LENGTH)
        for row, prompt in enumerate(prompts.tolist()):
            expected = self.every_continuation(table, prompt)
            found = dict(zip(map(tuple, ids[row].tolist()), told[row].tolist(), strict=True))
            assert found.keys() == expected.keys()  # the same steps in another order are equally likely
            np.testing.assert_allclose([found[text] for text in expected], list(expected.values()), rtol=1e-5)
            np.testing.assert_array_equal(np.sort(told[row])[::-1], told[row])

    def test_few_beams_hold_the_likeliest_of_all(self):
        model, table = toy_model(self.VOCAB, seed=2)
        beams = self.VOCAB ** (self.LENGTH - 1)
        start = jnp.zeros(1, jnp.int32)
        _, told = beam_search(model, jnp.array([[0, 1]]), start, beams=beams, length=self.LENGTH)
        best = sorted(self.every_continuation(table, [0, 1]).values(), reverse=True)[:beams]
        np.testing.assert_allclose(told[0], best, rtol=1e-5)

    def test_one_beam_is_greedy(self):
        model, table = toy_model(self.VOCAB, seed=1)
        ids, _ = beam_search(model, jnp.array([[0, 1]]), jnp.zeros(1, jnp.int32), beams=1, length=self.LENGTH)
        text = [0, 1]
        for _ in range(self.LENGTH):
            text.append(int(table[text[-2], text[-1]].argmax()))
        assert ids[0, 0].tolist() == text[2:]

    def test_few_beams_find_what_greedy_misses(self):
        # The likelier first step leads into a fork, the other one on a sure way.
        steps = jnp.log(jnp.array([[0.0, 0.6, 0.4], [1 / 3, 1 / 3, 1 / 3], [0.01, 0.01, 0.98]]) + 1e-9)

        def model(ids, carry):
            return steps[ids], carry

        ids, told = beam_search(model, jnp.array([[0]]), jnp.zeros(1), beams=2, length=3)
        assert ids[0, 0].tolist() == [2, 2, 2]
        assert float(told[0, 0]) == pytest.approx(np.log(0.4 * 0.98**2), rel=1e-3)


CHARACTERS = "".join(sorted("\n abcdefgh"))


@pytest.fixture(scope="module", params=MODELS)
def writer(request):
    config = dataclasses.replace(
        PRESETS["cpu"], data="sample", model=request.param, layers=2, width=16, heads=2, context=6, precision="fp32"
    )
    vocab = Vocabulary(CHARACTERS)
    model = LanguageModel(config, len(vocab), rngs=nnx.Rngs(params=0))
    keys = iter(jax.random.split(jax.random.key(1), 100))
    state = jax.tree.map(lambda array: array + 0.5 * jax.random.normal(next(keys), array.shape), nnx.state(model))
    return Writer(model, state, vocab, segment=5)


class TestWriter:
    PROMPTS = ("abc\nd", "hgfed")

    def test_writing_step_by_step_equals_scoring(self, writer):
        texts = writer.write(self.PROMPTS, PIECE + 9, Sampling(0.9), seed=3)
        for prompt, (text, told) in zip(self.PROMPTS, texts, strict=True):
            assert len(text) == PIECE + 9
            nats = writer.nats(writer.vocab.encode(prompt), writer.vocab.encode(text))
            assert told == pytest.approx(-float(nats.sum()), abs=1e-3)

    def test_beams_are_scored_as_texts_are(self, writer):
        for prompt, found in zip(self.PROMPTS, writer.search(self.PROMPTS, 7, beams=3), strict=True):
            assert len({text for text, _ in found}) == 3
            assert [told for _, told in found] == sorted((told for _, told in found), reverse=True)
            for text, told in found:
                nats = writer.nats(writer.vocab.encode(prompt), writer.vocab.encode(text))
                assert told == pytest.approx(-float(nats.sum()), abs=1e-3)

    def test_a_stream_is_the_text_in_pieces(self, writer):
        pieces = [piece.text for (piece,) in writer.stream(["abc"], 2 * PIECE + 1, Sampling(), seed=1)]
        assert [len(piece) for piece in pieces] == [PIECE, PIECE, 1]
        (whole,) = writer.write(["abc"], 2 * PIECE + 1, Sampling(), seed=1)
        assert "".join(pieces) == whole.text

    def test_seeds_differ_and_greedy_knows_none(self, writer):
        drawn = {writer.write(["abc"], 30, Sampling(), seed=seed)[0].text for seed in range(3)}
        assert len(drawn) == 3
        greedy = {writer.write(["abc"], 30, Sampling(0.0), seed=seed)[0].text for seed in range(3)}
        assert len(greedy) == 1
