"""The command that trains the embedded picture model: what it learns from and writes, and that it can be stopped."""

import json

import numpy as np
import pytest
import torch
from nlp_trainings import PICTURES as CONFIG
from nlp_trainings import ended_before
from PIL import Image

from dl_architectures.nlp.training.pictures import networks
from dl_architectures.nlp.training.pictures.__main__ import MODULE, main
from dl_architectures.nlp.training.pictures.captions import SETS, Data, Pictures, captions, captions_of, in_colour, load
from dl_architectures.nlp.training.pictures.judging import draw, shares
from dl_architectures.nlp.training.pictures.stages import Drawer, generator, to_network
from dl_architectures.nlp.training.pictures.things import THINGS, Thing
from dl_architectures.nlp.training.pictures.train import load_exported, tiled, train
from dl_shared.runs import read_history, read_summary
from dl_shared.testing import help_without_frameworks, refused


def few(source, seed):
    """The sample, but for most of it."""
    data = load(source, seed)
    parts = (Pictures(part.images[:600], part.labels[:600]) for part in (data.train, data.test))
    return Data(*parts, data.things, data.source)


@pytest.fixture(scope="module", autouse=True)
def _few_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dl_architectures.nlp.training.pictures.train.load", few)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training that was never stopped, on patterns made on the spot."""
    return train(CONFIG, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def pipeline(run):
    """What was written, as diffusers reads it."""
    return load_exported(run / "model")


def test_both_losses_fall(run):
    history = read_history(run)
    for split in ("autoencoder", "validation"):
        losses = [row["loss"] for row in history if row["split"] == split]
        assert losses[-1] < losses[0]
    assert [row["step"] for row in history] == sorted(row["step"] for row in history)


def test_the_pipeline_draws_what_is_asked_the_same_for_the_same_seed(pipeline):
    first, again, other = (draw(pipeline, ["a rows", "dots"], seed) for seed in (1, 1, 2))
    assert first.shape == (2, 32, 32, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert pipeline.safety_checker is None


def test_latents_are_scaled_to_a_deviation_of_one(pipeline):
    images = few("sample", 0).train.images
    with torch.inference_mode():
        latents = pipeline.vae.encode(to_network(images, torch.device("cpu"))).latent_dist.mean
    assert float(latents.std() * pipeline.vae.config.scaling_factor) == pytest.approx(1, rel=0.1)


def test_weights_are_in_half_precision_and_no_pickle(run):
    folder = run / "model"
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors", ".md", ".png"}
    parts = {path.parent.name for path in folder.rglob("*.safetensors")}
    assert parts == {"vae", "unet", "text_encoder"}
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    assert size < 2.2 * read_summary(run)["cost"]["parameters"] + 60_000


def test_the_card_has_the_command_the_figures_and_a_sheet(run):
    card = (run / "model" / "README.md").read_text()
    metrics = read_summary(run)["metrics"]
    assert f"python -m {MODULE} train --data sample --output FOLDER" in card
    assert f"| recognised, share | {metrics['test']['recognised']:.4f} | {metrics['real']['recognised']:.4f} |" in card
    assert str(run.parent) not in card
    with Image.open(run / "model" / "samples.png") as sheet:
        assert sheet.size == (320, 32)


@pytest.mark.parametrize(
    "step", [7, CONFIG.autoencoder_steps + 10], ids=["in the autoencoder's training", "in the denoiser's"]
)
def test_stopped_and_resumed_it_ends_the_same(run, tmp_path, step):
    with ended_before(step):
        train(CONFIG, runs_dir=tmp_path)
    (stopped,) = (tmp_path / MODULE).iterdir()
    train(CONFIG, runs_dir=tmp_path, resume=stopped)
    for path in (run / "model").rglob("*.safetensors"):
        assert (stopped / "model" / path.relative_to(run / "model")).read_bytes() == path.read_bytes()
    assert read_history(stopped) == read_history(run)
    assert read_summary(stopped)["metrics"] == read_summary(run)["metrics"]


def test_the_tokenizer_has_a_token_for_every_word_of_the_captions(pipeline):
    tokenizer = networks.new_tokenizer([caption for thing in THINGS for caption in captions_of(thing)])
    assert tokenizer.tokenize("A photo of a Sneaker") == ["a</w>", "photo</w>", "of</w>", "a</w>", "sneaker</w>"]
    assert pipeline.tokenizer.model_max_length == networks.LONGEST
    longest = max(len(tokenizer(caption).input_ids) for thing in THINGS for caption in captions_of(thing))
    assert longest <= networks.LONGEST


def test_merges_are_those_of_byte_pair_encoding_worked_by_hand():
    # Pairs that stand twice come first, and of those the one whose name does.
    assert networks.merges_of({"abc", "xabc"}) == [("a", "b"), ("ab", "c</w>"), ("x", "abc</w>")]
    assert networks.merges_of({"a"}) == []


def test_the_average_follows_the_weights():
    tokenizer = networks.new_tokenizer(["a cat"])
    drawer = Drawer(CONFIG, tokenizer)
    weight, kept = (next(part["denoiser"].parameters()) for part in (drawer.learned, drawer.average))
    with torch.no_grad():
        weight += 1
    before = kept.clone()
    drawer.follow(0.75, step=1000)
    torch.testing.assert_close(kept, before + 0.25)
    assert not any(param.requires_grad for param in drawer.average.parameters())


def test_random_numbers_follow_from_what_they_are_for():
    streams = (generator(*numbers) for numbers in ((0, 1, 2), (0, 1, 2), (0, 2, 2)))
    first, again, other = (torch.rand(3, generator=stream) for stream in streams)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_smaller_grey_pictures_get_a_black_frame_and_colour():
    images = np.full((1, 28, 28, 1), 200, np.uint8)
    framed = in_colour(images)
    assert framed.shape == (1, 32, 32, 3)
    assert framed[0, 2:30, 2:30].min() == 200
    assert framed.sum() == 200 * 28 * 28 * 3
    assert np.array_equal(in_colour(framed), framed)


def test_every_picture_of_a_thing_may_be_called_by_each_of_its_captions():
    draws = np.arange(5000)
    labels = np.full(5000, 7)
    said = captions(THINGS, labels, 0, draws)
    assert set(said) == set(captions_of(THINGS[7]))
    assert said[:10] == captions(THINGS, labels[:10], 0, draws[:10])
    assert "the digit seven" in said
    assert "a photo of an ankle boot" in captions_of(THINGS[19])
    assert "a picture of trousers" in captions_of(THINGS[11])


def test_every_class_of_the_three_sets_is_a_thing():
    assert [(thing.dataset, thing.label) for thing in THINGS] == [(name, i) for name in SETS for i in range(10)]
    assert len({word for thing in THINGS for word in thing.words}) == sum(len(thing.words) for thing in THINGS)


def test_shares_are_of_each_data_set():
    things = (Thing("mnist", 0, ("zero",)), Thing("cifar10", 3, ("cat",)))
    found = shares(things, np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]))
    assert found == {"recognised": 0.75, "recognised_mnist": 1.0, "recognised_cifar10": 0.5}


def test_a_sheet_has_pictures_row_by_row():
    images = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    sheet = tiled(images)
    assert sheet.shape == (64, 320, 3)
    assert (sheet[0, 9 * 32, 0], sheet[32, 0, 0], sheet[32, 32, 0], sheet[63, 319, 0]) == (9, 10, 11, 0)


def test_help_imports_nothing_heavy():
    assert "--autoencoder-steps" in help_without_frameworks(f"{MODULE}.__main__", "train")


def test_bad_input_is_refused_and_leaves_nothing(capsys, tmp_path):
    def line(*arguments):
        return refused(capsys, main, "train", "--runs-dir", tmp_path / "runs", *arguments)

    assert "does not exist" in line("--data", tmp_path)
    assert "multiples of 8" in line("--data", "sample", "--widths", 30, 40)
    assert "below 1" in line("--data", "sample", "--unconditional", 1)
    assert not list((tmp_path / "runs").glob("*/*"))


def test_options_are_kept_for_the_record(run):
    assert json.loads((run / "config.json").read_text())["widths"] == [16, 24]
