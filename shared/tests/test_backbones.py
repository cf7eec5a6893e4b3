"""Where a pretrained model lies, and what is said when part of it is missing."""

import json

import pytest

from dl_shared.data import backbones
from dl_shared.data.backbones import check_folder, find_backbone
from dl_shared.errors import InputError


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    for name in ("model.safetensors", "tokenizer.json"):
        (path / name).write_text("{}")
    return path


def test_a_folder_is_found_by_its_path(folder, monkeypatch):
    found = find_backbone(str(folder))
    assert (found.source, found.offline) == (str(folder), True)
    monkeypatch.chdir(folder.parent)
    assert find_backbone("./model").source == str(folder)
    assert find_backbone("model").source == str(folder), "a folder comes before a name on the hub"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.json", "lacks config.json"),
        ("model.safetensors", "lacks model.safetensors"),
        ("tokenizer.json", "lacks its tokenizer"),
    ],
)
def test_what_is_missing_is_named(folder, missing, said):
    (folder / missing).unlink()
    with pytest.raises(InputError, match=said):
        find_backbone(str(folder))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        find_backbone(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="does not exist"):
        find_backbone("a/b/c")


def test_weights_as_a_pickle_only(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickle only"):
        check_folder(folder)


def test_shards(folder):
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    (folder / "one.safetensors").write_text("")
    with pytest.raises(InputError, match=r"lacks two\.safetensors"):
        check_folder(folder)
    (folder / "two.safetensors").write_text("")
    check_folder(folder)
    index.write_text("[]")
    with pytest.raises(InputError, match="does not say where"):
        check_folder(folder)


@pytest.mark.parametrize(
    ("content", "said"), [("{", "cannot be read"), ("[]", "no configuration"), ("{}", "model_type")]
)
def test_a_damaged_configuration(folder, content, said):
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=said):
        check_folder(folder)


def test_the_hub_out_of_reach():
    with pytest.raises(InputError, match="use --model embedded"):
        find_backbone("nobody/has-this")
    with pytest.raises(InputError, match="neither a folder nor a name"):
        find_backbone("what is this?")


def test_the_hub_at_hand(monkeypatch):
    monkeypatch.setattr("dl_shared.data.image_hub.answering", lambda endpoints: set(endpoints))
    found = find_backbone("distilbert/distilbert-base-uncased")
    assert (found.source, found.offline) == ("distilbert/distilbert-base-uncased", False)


def test_the_embedded_model_without_its_package(monkeypatch):
    monkeypatch.setattr(backbones, "EMBEDDED_PACKAGE", "no_such_package")
    with pytest.raises(InputError, match="pip install"):
        find_backbone("embedded")


def test_the_embedded_model():
    pytest.importorskip(backbones.EMBEDDED_PACKAGE)
    assert find_backbone("embedded").offline
