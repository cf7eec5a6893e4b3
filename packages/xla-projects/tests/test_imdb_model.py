"""Reviews side by side in a row: the same logits as alone, for every family; every review once; rates by hand."""

import numpy as np
import pytest
import torch
from imdb_tools import SIZES, SMALL
from imdb_tools import few_reviews as few_reviews
from imdb_tools import tiny_bert as tiny_bert
from transformers import AutoModel, BertConfig, DistilBertConfig, ElectraConfig, RobertaConfig

from dl_shared.data import packing
from dl_shared.data.encoding import encode
from dl_shared.data.packing import NOBODY
from dl_shared.data.tokens import Tokens
from xla_projects.device import start_device
from xla_projects.imdb.config import Config
from xla_projects.imdb.data import Batches, Shapes
from xla_projects.imdb.judge import Judge, scores
from xla_projects.imdb.model import Network, load_pretrained
from xla_projects.imdb.optimizer import freeze, parameter_groups

COMMON = {**SIZES, "vocab_size": 99}
FAMILIES = {
    "bert": BertConfig(**COMMON),
    "distilbert": DistilBertConfig(
        vocab_size=99, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64
    ),
    "roberta": RobertaConfig(**COMMON, pad_token_id=1),
    "electra": ElectraConfig(**COMMON, embedding_size=16),
}
LENGTHS = (10, 3, 7, 12, 5, 2, 9)
TEXTS = Tokens.of([np.random.default_rng(n).integers(5, 99, length) for n, length in enumerate(LENGTHS)])
LABELS = np.arange(len(LENGTHS)) % 2


def batches(shapes, **options):
    return Batches(TEXTS, LABELS, shapes, pad_id=0, **options)


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_packed_review_gets_the_same_logits_as_alone(family, pooling):
    torch.manual_seed(0)
    network = Network(AutoModel.from_config(FAMILIES[family], attn_implementation="eager"), pooling)
    packed = Judge(network, None)(batches(Shapes((24,), 4, True)))
    alone = [
        Judge(network, None)(
            Batches(Tokens.of([TEXTS[text]]), LABELS[:1], Shapes((len(TEXTS[text]),), 1, True), pad_id=0)
        )[0]
        for text in range(len(TEXTS))
    ]
    np.testing.assert_allclose(packed, alone, atol=1e-5)
    assert packed.std(axis=0).min() > 1e-4, "reviews differ"


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_alone_is_what_transformers_computes(tiny_bert, pooling):
    """With the weights that lie in the folder, positions from 0 and no mask."""
    network, tokenizer = load_pretrained(Config(data="sample", model=str(tiny_bert), **SMALL, pooling=pooling), [])
    ids = torch.tensor([tokenizer("the plot was dull")["input_ids"]])
    hidden = AutoModel.from_pretrained(tiny_bert).eval()(ids).last_hidden_state
    hidden = hidden[:, 0] if pooling == "first" else hidden.mean(1)
    tokens = encode(tokenizer, ["the plot was dull"], max_length=24, truncation="head")
    judged = Judge(network, None)(Batches(tokens, np.zeros(1, int), Shapes((24,), 2, True), pad_id=0))
    expected = network.classifier(hidden).softmax(1).detach().numpy()
    np.testing.assert_allclose(judged, expected, atol=1e-6)


def test_an_epoch_has_every_review_once_and_is_a_function_of_seed_and_epoch():
    made = batches(Shapes((24,), 4, True), reviews=4, seed=3)
    tables = {epoch: [made.batch(epoch, step)[1] for step in range(made.steps)] for epoch in (0, 1)}
    for epoch, steps in tables.items():
        seen = np.concatenate([table[table != NOBODY] for table in steps])
        assert sorted(seen.tolist()) == list(range(len(TEXTS)))
        again = batches(Shapes((24,), 4, True), reviews=4, seed=3)
        assert np.array_equal(again.batch(epoch, 1)[1], steps[1])
    assert made.reviews_per_step == len(TEXTS) / made.steps


@pytest.mark.parametrize("shapes", [Shapes((24,), 4, True), Shapes((5, 9, 12), 1, False)])
@pytest.mark.parametrize("devices", [1, 4])
def test_all_steps_of_rows_of_one_length_have_one_shape_that_devices_can_share(shapes, devices):
    made = batches(shapes, reviews=3, devices=devices)
    found = [made.batch(0, step)[0] for step in range(made.steps)]
    assert len({batch.input_ids.shape for batch in found}) == len(shapes.row_lengths)
    assert all(len(batch.input_ids) % devices == 0 for batch in found)
    assert sum(batch.weights.sum() for batch in found) == len(TEXTS)
    filled = sum((batch.segments > 0).sum() for batch in found)
    assert filled == sum(LENGTHS)
    assert made.padding == pytest.approx(1 - filled / sum(batch.segments.size for batch in found))
    for batch in found:
        starts = np.take_along_axis(batch.positions, batch.starts, axis=1)
        assert not starts[batch.weights > 0].any(), "a review begins at position 0"


def test_lengths_and_places_are_chosen_for_the_training_reviews():
    lengths = np.array([5, 5, 20, 20, 40])
    given = {"data": "sample", **SMALL, "max_length": 48}
    assert Shapes.choose(lengths, Config(**given)) == Shapes((48,), 6, True)
    by_length = Shapes.choose(lengths, Config(**given, batches="lengths"), longest=47)
    assert by_length == Shapes((5, 20, 47), 1, False)


def test_rates_by_layer_by_hand(tiny_bert):
    config = Config(data="sample", model=str(tiny_bert), **SMALL | {"learning_rate": 0.1}, layer_decay=0.5)
    network, _ = load_pretrained(config, [])
    groups, rates = parameter_groups(network, config)
    found = {(float(rate), group["weight_decay"]) for group, rate in zip(groups, rates, strict=True)}
    assert found == {(np.float32(rate), decay) for rate in (0.0125, 0.025, 0.05, 0.1) for decay in (0.0, 0.01)}
    grouped = [id(param) for group in groups for param in group["params"]]
    assert sorted(grouped) == sorted(id(param) for param in network.parameters())
    freeze(network, 2)
    assert len(parameter_groups(network, config)[0]) == 4, "the upper layer and the classifier"


def test_every_parameter_gets_a_gradient(tiny_bert):
    config = Config(data="sample", model=str(tiny_bert), **SMALL)
    start_device(config)  # a process whose first backward pass knows no XLA device cannot have one on XLA later
    network, _ = load_pretrained(config, [])
    packed = packing.lay_out(TEXTS, np.array([[0, 1], [2, NOBODY]]), 16, 0)
    network(*map(torch.from_numpy, packed)).square().sum().backward()
    assert all(param.grad is not None and param.grad.abs().sum() > 0 for param in network.parameters())


def test_figures_by_hand():
    expected = {"loss": 3.0, "accuracy": 3 / 5, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    assert scores([15.0, 2.0, 1.0, 1.0, 1.0]) == pytest.approx(expected)
    assert scores([1.0, 0.0, 0.0, 0.0, 4.0])["f1"] == 0
