"""Models of each family, from a folder to a run and back."""

import imdb_tools
import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer, BertConfig, DistilBertConfig, ElectraConfig, RobertaConfig

from dl_shared.data.backbones import embedded_folder
from dl_shared.errors import InputError
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.model import (
    count_layers,
    load_description,
    load_pretrained,
    longest_input,
    save_description,
)

few_reviews, tiny_bert = imdb_tools.few_reviews, imdb_tools.tiny_bert

SIZES = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 3, "intermediate_size": 16}
FAMILIES = {
    "bert": BertConfig(**SIZES, max_position_embeddings=40),
    "distilbert": DistilBertConfig(dim=16, n_heads=2, n_layers=3, hidden_dim=16, max_position_embeddings=40),
    "roberta": RobertaConfig(**SIZES, max_position_embeddings=42, pad_token_id=1),
    "electra": ElectraConfig(**SIZES, embedding_size=16, max_position_embeddings=40),
}


@pytest.fixture(params=list(FAMILIES))
def folder(request, tiny_bert, tmp_path):
    """A model of the family, with the tokenizer of the tiny BERT."""
    AutoModel.from_config(FAMILIES[request.param]).save_pretrained(tmp_path / request.param)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / request.param)
    return tmp_path / request.param


def test_a_model_of_any_family_is_cut_adapted_and_comes_back_from_a_run(folder, tmp_path):
    options = {"layers": 2, "dropout": 0.3, "attention_dropout": 0.4}
    network, tokenizer = load_pretrained(Config(data="sample", model=str(folder), **options), [])
    assert count_layers(network) == 2
    assert longest_input(network) == 40
    assert {module.p for module in network.modules() if isinstance(module, nn.Dropout)} == {0.3, 0.4}
    assert network.config.id2label == {0: "negative", 1: "positive"}
    save_description(tmp_path / "model", network, tokenizer)
    again, read = load_description(tmp_path / "model", attn_implementation="eager")
    again.load_state_dict(network.state_dict())
    ids = torch.tensor([tokenizer("the plot was dull")["input_ids"]])
    assert read("the plot was dull")["input_ids"] == ids[0].tolist()
    torch.testing.assert_close(again.eval()(ids).logits, network.eval()(ids).logits)
    assert len(again(ids, output_attentions=True).attentions) == 2


def test_the_weights_that_were_there_are_those_that_are_loaded(folder):
    config = Config(data="sample", model=str(folder))
    network, _ = load_pretrained(config, [])
    stored = AutoModel.from_pretrained(folder).state_dict()
    for name, value in network.base_model.state_dict().items():
        if "pooler" not in name:
            torch.testing.assert_close(value, stored[name], msg=name)
    other, _ = load_pretrained(config, [])
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), f"{name}: what is new is a function of the seed"


def test_a_model_that_is_no_encoder(tiny_bert, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "resnet"}')
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((tiny_bert / name).read_bytes())
    with pytest.raises(InputError, match="no encoder of the BERT family"):
        load_pretrained(Config(data="sample", model=str(tmp_path)), [])


@pytest.mark.skipif(embedded_folder() is None, reason="the extra `embedded` is not installed")
def test_the_embedded_model():
    network, tokenizer = load_pretrained(Config(data="sample", layers=1), [])
    assert longest_input(network) == 512
    assert tokenizer("a film")["input_ids"] == [101, 1037, 2143, 102]
