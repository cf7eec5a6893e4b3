"""Rollout and deletions by hand; the page of a text that tries to be markup, script, and very long."""

import base64
import dataclasses
import hashlib
import html
import json
import re
import zlib

import numpy as np
import pytest

from dl_shared.metrics.attention import RANDOM, REFERENCE, Deletions, highest, rollout
from dl_shared.report.attention import Attention, quantize, shades, write_attention_page

NASTY = ["</script>", "<script>alert(1)</script>", "<!--", "\u2028", "&lt;", '"', "'", "<b>", "日本", "\ud800"]


def attention(tokens, **more):
    n = len(tokens)
    weights = np.random.default_rng(0).dirichlet(np.ones(n), size=(2, 3, n))
    given = {
        "tokens": tokens,
        "spaced": [True] * n,
        "special": [i in (0, n - 1) for i in range(n)],
        "weights": weights,
        "scores": {"attention rollout": rollout(weights)[0], "gradient x input": np.linspace(0, 1, n)},
        "probabilities": np.array([0.25, 0.75]),
        "class_names": ("negative", "positive"),
    }
    return Attention(**(given | more))


def deletions(attention_drop, *, random=0.0, reference=0.0, spread=0.01, reviews=30):
    noise = np.random.default_rng(0).normal(0, spread, (3, reviews, 5))
    drops = {
        "rollout": attention_drop + noise[0],
        RANDOM: random + noise[1],
        REFERENCE: reference + noise[2],
    }
    return Deletions(drops)


def test_rollout_by_hand():
    """Two layers, one head, two tokens: (W + I) / 2 of the second times that of the first."""
    first, second = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.5, 0.5]])
    expected = np.array([[1.0, 0.0], [0.25, 0.75]]) @ np.array([[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(rollout(np.stack([first, second])[:, None]), expected)


def test_rollout_takes_the_mean_of_the_heads_and_keeps_rows_that_sum_to_one():
    weights = np.random.default_rng(0).dirichlet(np.ones(6), size=(4, 3, 6))
    rolled = rollout(weights)
    np.testing.assert_allclose(rolled.sum(1), 1)
    np.testing.assert_allclose(rolled, rollout(weights.mean(1, keepdims=True)))


def test_the_highest_positions_by_hand():
    scores = np.array([0.1, 0.9, 0.5, 0.9, 0.2, 0.3])
    assert highest(scores, 0.01).tolist() == [1]
    assert highest(scores, 0.5).tolist() == [1, 2, 3]
    assert highest(np.zeros(4), 0.5).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("drop", "reference", "said"),
    [
        (0.2, 0.2, "not to be told from gradient"),
        (0.2, 0.1, "and better than gradient"),
        (0.1, 0.2, "faithful in part"),
        (0.0, 0.2, "do not show"),
        (-0.1, 0.2, "points away"),
    ],
)
def test_the_verdict_follows_from_the_numbers(drop, reference, said):
    (sentence,) = deletions(drop, reference=reference).sentences
    assert said in sentence
    assert "30 reviews" in sentence
    assert "-0.000" not in sentence.partition("(95")[0]


def test_drops_are_means_over_shares_and_reviews():
    drops = {"rollout": np.array([[0.1, 0.3], [0.2, 0.2]]), RANDOM: np.zeros((2, 2)), REFERENCE: np.zeros((2, 2))}
    measured = Deletions(drops, shares=(0.1, 0.5))
    assert measured.drop("rollout")[0] == pytest.approx(0.2)
    assert measured.difference("rollout", RANDOM) == pytest.approx((0.2, 0.2, 0.2))
    summary = measured.summary()
    assert summary["methods"]["rollout"]["by_share"] == pytest.approx([0.15, 0.25])
    assert json.dumps(summary)


def test_a_page_is_one_file_that_no_text_can_break(tmp_path):
    tokens = ["[CLS]", *NASTY, "[SEP]"]
    path = write_attention_page(
        tmp_path / "a.html",
        attention(tokens, left_out=7, cut_before=3, label="negative"),
        title="<b>title</b>",
        deletions=deletions(0.1),
        tested_on="<i>these</i>",
    )
    page = path.read_text()
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [' type="application/json" id="data"', ""]
    data = json.loads(scripts[0][1])
    assert data["tokens"] == [
        token.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass") for token in tokens
    ]
    digest = base64.b64encode(hashlib.sha256(scripts[1][1].encode()).digest()).decode()
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1))
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    for text in ("<b>", "<i>", "<!--", "alert(1)</"):
        assert text not in page.replace("<!DOCTYPE html>", "")
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)", page), "nothing is fetched"
    assert "7 more were not seen" in page
    assert page.count("⋯") == 1


def test_the_weights_come_back_from_the_page():
    weights = np.random.default_rng(0).dirichlet(np.ones(40) / 4, size=(2, 3, 40))
    steps = np.frombuffer(zlib.decompress(quantize(weights)), np.uint8).reshape(weights.shape)
    np.testing.assert_allclose((steps / 63.0) ** 2, weights, atol=0.016)
    small = weights < 0.01
    np.testing.assert_allclose((steps[small] / 63.0) ** 2, weights[small], atol=0.0017)


def test_shades_are_relative_to_the_strongest_word():
    scores = np.array([9.0, 1.0, -2.0, 0.5])
    assert shades(scores, [True, False, False, False]).tolist() == [1.0, 0.5, 1.0, 0.25]
    assert shades(np.zeros(2), [False, False]).tolist() == [0.0, 0.0]


def test_a_page_of_512_tokens_stays_small(tmp_path):
    rng = np.random.default_rng(0)
    scores = 2 * rng.normal(size=(6, 12, 512, 512)).astype(np.float32)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    tokens = [f"word{i}" for i in range(512)]
    path = write_attention_page(tmp_path / "a.html", attention(tokens, weights=weights), title="long")
    assert path.stat().st_size < 16e6
    assert "No deletion test" in path.read_text()


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match="for 3 tokens"):
        dataclasses.replace(attention(["a", "b"]), tokens=["a", "b", "c"])
    with pytest.raises(ValueError, match="sum to 1"):
        attention(["a", "b"], weights=np.ones((1, 1, 2, 2)))
    with pytest.raises(ValueError, match="values for"):
        attention(["a", "b"], spaced=[True])
    with pytest.raises(ValueError, match="one way"):
        attention(["a", "b"], scores={})
