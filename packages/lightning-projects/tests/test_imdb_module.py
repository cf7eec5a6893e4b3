"""The hand-written optimization: the same steps as a bare loop, whatever the parts; rates and figures by hand."""

import dataclasses
import math
import tempfile

import imdb_tools
import pytest
import torch
import torch.nn.functional as F
from imdb_tools import SMALL
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    RobertaConfig,
)

from dl_shared.data.text_models import depth
from dl_shared.schedules import warmup_linear
from lightning_projects.fitting import make_trainer
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import ImdbData, TokenizedReviews, TrainLoader, load_reviews
from lightning_projects.imdb.model import load_pretrained
from lightning_projects.imdb.module import Classifier, batch_sums
from lightning_projects.imdb.optimizer import make_optimizer, parameter_groups
from lightning_projects.imdb.train import make_module

few_reviews, tiny_bert = imdb_tools.few_reviews, imdb_tools.tiny_bert


@pytest.fixture(scope="module")
def config(few_reviews, tiny_bert):
    return Config(data=str(few_reviews), model=str(tiny_bert), **SMALL, dropout=0.0, batches="padded")


def trained(config):
    """The weights after the epochs of a configuration, as the Trainer leaves them."""
    data = load_reviews(config)
    network, tokenizer = load_pretrained(config, data.train.texts)
    datamodule = ImdbData(config, data, tokenizer)
    module = make_module(config, network, datamodule)
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = make_trainer(config, default_root_dir=folder, **quiet)
        trainer.fit(module, datamodule=datamodule)
    assert trainer.global_step == config.epochs * datamodule.steps_per_epoch
    return network.state_dict()


def by_hand(config):
    """The same weights from a loop without Lightning, in which every step is one batch."""
    data = load_reviews(config)
    network, tokenizer = load_pretrained(config, data.train.texts)
    datamodule = ImdbData(config, data, tokenizer)
    whole = dataclasses.replace(config, accumulate=1)
    loader = TrainLoader(
        TokenizedReviews(datamodule.train_tokens, data.train, tokenizer.pad_token_id, rank=0, world_size=1), whole
    )
    optimizer = make_optimizer(network, 2, config)
    total, step = config.epochs * len(loader), 0
    peaks = [group["lr"] for group in optimizer.param_groups]
    network.train()
    for _ in range(config.epochs):
        for batch in loader:
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * warmup_linear(step, total, config.warmup)
            (part,) = batch.parts
            loss = F.cross_entropy(network(part.input_ids, attention_mask=part.mask.long()).logits, part.labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()
            step += 1
    return network.state_dict()


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_step_in_parts_is_a_step_at_once_and_the_trainer_makes_the_steps_of_a_bare_loop(config, accumulate):
    """The last step of an epoch has 12 reviews instead of 16; each of them weighs the same."""
    config = dataclasses.replace(config, accumulate=accumulate)
    reached, expected = trained(config), by_hand(config)
    untrained = load_pretrained(config, load_reviews(config).train.texts)[0].state_dict()
    assert reached.keys() == expected.keys()
    for name, value in reached.items():
        torch.testing.assert_close(value, expected[name], atol=2e-5, rtol=1e-3, msg=name)
    assert any(not torch.equal(value, untrained[name]) for name, value in reached.items())


@pytest.mark.slow
def test_a_compiled_network_learns_the_same(config):
    config = dataclasses.replace(config, epochs=1, batches="length", accumulate=1)
    reached, expected = (trained(dataclasses.replace(config, compile=compiled)) for compiled in (True, False))
    for name, value in reached.items():
        torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=1e-2, msg=name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bert.embeddings.word_embeddings.weight", 0),
        ("bert.encoder.layer.0.attention.self.query.weight", 1),
        ("distilbert.transformer.layer.5.ffn.lin1.bias", 6),
        ("bert.pooler.dense.weight", 7),
        ("classifier.bias", 7),
        ("pre_classifier.weight", 7),
        ("electra.embeddings_project.weight", 0),
    ],
)
def test_where_a_parameter_stands(name, expected):
    assert depth(name, 6) == expected


def test_rates_by_layer_by_hand(config):
    network, _ = load_pretrained(config, [])
    groups = parameter_groups(network, 2, dataclasses.replace(config, learning_rate=0.1, layer_decay=0.5))
    rates = {group["name"]: (group["lr"], group["weight_decay"]) for group in groups}
    assert rates == {
        "embeddings, biases": (0.0125, 0.0),
        "embeddings, matrices": (0.0125, 0.01),
        "layer 1, biases": (0.025, 0.0),
        "layer 1, matrices": (0.025, 0.01),
        "layer 2, biases": (0.05, 0.0),
        "layer 2, matrices": (0.05, 0.01),
        "classifier, biases": (0.1, 0.0),
        "classifier, matrices": (0.1, 0.01),
    }
    grouped = {id(param) for group in groups for param in group["params"]}
    assert grouped == {id(param) for param in network.parameters()}
    assert sum(len(group["params"]) for group in groups) == len(grouped)


def test_what_is_frozen_keeps_its_weights(config):
    """Of two layers, embeddings and the first; the second, pooler and classifier learn."""
    config = dataclasses.replace(config, frozen=2, epochs=1)
    before = load_pretrained(config, [])[0].state_dict()
    after = trained(config)
    moved = {depth(name, 2) for name in after if not torch.equal(after[name], before[name])}
    assert moved == {2, 3}


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "electra"])
def test_every_family_has_its_layers_found_and_a_gradient_for_every_parameter(family):
    sizes = {"vocab_size": 30, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 3}
    sizes |= {"intermediate_size": 16, "max_position_embeddings": 20, "pad_token_id": 1, "num_labels": 2}
    configs = {"bert": BertConfig, "roberta": RobertaConfig, "electra": ElectraConfig}
    if family == "distilbert":
        options = DistilBertConfig(vocab_size=30, dim=8, n_heads=2, n_layers=3, hidden_dim=16, pad_token_id=1)
        network = DistilBertForSequenceClassification(options)
    else:
        more = {"embedding_size": 4} if family == "electra" else {}
        network = AutoModelForSequenceClassification.from_config(configs[family](**sizes, **more))
    found = {depth(name, 3) for name, _ in network.named_parameters()}
    assert found == {0, 1, 2, 3, 4}
    network(torch.tensor([[2, 3, 4]])).logits.square().sum().backward()
    assert all(param.grad is not None for param in network.parameters())


def test_figures_by_hand():
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 5.0]])
    labels, weights = torch.tensor([1, 0, 1, 0, 1, 0]), torch.tensor([1.0, 1, 1, 1, 1, 0])
    sums = batch_sums(torch.tensor([1.0, 2, 3, 4, 5, 99]), logits, labels, weights)
    scores = {name: float(value) for name, value in Classifier.scores(sums).items()}
    expected = {"loss": 3.0, "accuracy": 3 / 5, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}
    assert scores == pytest.approx(expected)


def test_no_positive_prediction_is_no_division_by_zero():
    sums = batch_sums(torch.ones(2), torch.tensor([[1.0, 0.0]] * 2), torch.tensor([0, 0]), torch.ones(2))
    assert all(math.isfinite(value) for value in Classifier.scores(sums).values())


def test_padding_changes_no_logits(config):
    network, tokenizer = load_pretrained(config, [])
    network.eval()
    ids = torch.tensor([tokenizer("the plot was dull")["input_ids"]])
    padded = F.pad(ids, (0, 5), value=tokenizer.pad_token_id)
    torch.testing.assert_close(
        network(ids).logits, network(padded, attention_mask=(padded != tokenizer.pad_token_id).long()).logits
    )


def test_one_batch_can_be_learned_by_heart(config):
    config = dataclasses.replace(config, learning_rate=5e-3, layer_decay=1.0)
    network, tokenizer = load_pretrained(config, [])
    texts = [f"the {aspect} was {word}" for aspect in ("plot", "cast") for word in ("dull", "superb", "silly", "great")]
    batch, labels = tokenizer(texts, padding=True, return_tensors="pt"), torch.tensor([0, 1, 0, 1] * 2)
    optimizer = make_optimizer(network, 2, config)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(network(**batch).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(2), abs=0.1)
    assert losses[-1] < 0.05
