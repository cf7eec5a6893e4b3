"""Where a pretrained ResNet lies, how pictures are prepared for it, and what is said when part of it is missing."""

import json

import pytest

from dl_shared.data.picture_backbones import (
    Preparation,
    describe_preparation,
    embedded_folder,
    find_picture_backbone,
    levels_below_head,
    load_resnet,
    parse_preparation,
    read_description,
    read_preparation,
    save_description,
)
from dl_shared.errors import InputError

LIMIT = 4 * 2**20  # bytes, of all that every installation carries


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": "resnet"}))
    (path / "model.safetensors").write_text("")
    return path


def test_the_embedded_network_is_whole_and_small():
    found = find_picture_backbone("embedded")
    assert (found.kind, found.offline) == ("folder", True)
    assert {path.name for path in embedded_folder().iterdir()} == {
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert 0 < sum(path.stat().st_size for path in embedded_folder().iterdir()) <= LIMIT
    assert read_preparation(found).size >= 32


def test_a_folder_and_a_file_are_found_by_their_path(folder, monkeypatch):
    found = find_picture_backbone(str(folder))
    assert (found.source, found.kind, found.offline) == (str(folder), "folder", True)
    (folder / "resnet18.pth").write_bytes(b"")
    monkeypatch.chdir(folder)
    found = find_picture_backbone("resnet18.pth")
    assert (found.source, found.kind) == (str(folder / "resnet18.pth"), "file")
    assert read_preparation(found) == Preparation(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "lacks config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "pickle only"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "vit"}'), "type vit; .* must be a ResNet"),
    ],
    ids=["no config", "no weights", "pickled", "another architecture"],
)
def test_a_folder_that_cannot_be_used(folder, spoil, said):
    spoil(folder)
    with pytest.raises(InputError, match=said):
        find_picture_backbone(str(folder))


def test_what_is_not_there(tmp_path):
    for name in (tmp_path / "nothing", tmp_path / "nothing.pth"):
        with pytest.raises(InputError, match="does not exist"):
            find_picture_backbone(str(name))
    with pytest.raises(InputError, match="use --backbone embedded"):
        find_picture_backbone("nobody/has-this")


def test_how_pictures_are_prepared_survives_its_file():
    preparation = Preparation(64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert parse_preparation(json.loads(json.dumps(describe_preparation(preparation)))) == preparation


@pytest.mark.parametrize(
    ("size", "expected"), [(96, 96), ({"shortest_edge": 224}, 224), ({"height": 64, "width": 64}, 64)]
)
def test_sizes_as_the_hub_writes_them(size, expected):
    assert parse_preparation({"size": size}).size == expected


@pytest.mark.parametrize(
    "values",
    [
        *({"size": size} for size in ("large", {}, 0, [], 10**9, float("inf"))),
        *({"image_mean": [1]}, {"image_mean": [float("nan"), 0, 0]}, {"image_std": [1, 1, 0]}),
    ],
)
def test_a_description_that_says_nothing(folder, values):
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="does not say how to prepare pictures"):
        read_preparation(find_picture_backbone(str(folder)))


def test_a_description_survives_its_files(tmp_path):
    class Config(dict):
        from_dict = classmethod(lambda cls, values: cls(values["named"]))

    preparation = Preparation(64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    save_description(tmp_path / "network", {"named": {"depths": [1, 2]}}, preparation)
    assert read_description(tmp_path / "network", Config) == ({"depths": [1, 2]}, preparation)
    (tmp_path / "network" / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config.json cannot be loaded \('named'\)"):
        read_description(tmp_path / "network", Config)


@pytest.mark.parametrize(
    ("missing", "mismatched", "said"),
    [
        (["classifier.1.weight"], [("classifier.1.bias", 10, 7)], None),
        (["resnet.b", "resnet.a"], [], "do not fit its config.json; .*: resnet.a, resnet.b$"),
        ([], [("resnet.a", 3, 5)], "do not fit its config.json; .*: resnet.a$"),
    ],
    ids=["the head", "weights missing", "weights of another size"],
)
def test_all_but_the_head_must_be_among_the_weights(folder, missing, mismatched, said):
    class Network:
        @staticmethod
        def from_pretrained(source, **options):
            assert (source, options["local_files_only"], options["use_safetensors"]) == (str(folder), True, True)
            return "the network", {"missing_keys": missing, "mismatched_keys": mismatched}

    found = find_picture_backbone(str(folder))
    if said is None:
        assert load_resnet(Network, found) == "the network"
        return
    with pytest.raises(InputError, match=said):
        load_resnet(Network, found)


def test_levels_are_counted_from_the_head_down():
    names = (
        "classifier.1.bias",
        "resnet.encoder.stages.2.layers.0.layer.0.convolution.weight",
        "resnet.encoder.stages.0.layers.1.shortcut.normalization.bias",
        "resnet.embedder.embedder.convolution.weight",
    )
    assert [levels_below_head(name, 3) for name in names] == [0, 1, 3, 4]
