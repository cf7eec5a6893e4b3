"""Training: what one step does, and that a run stopped anywhere ends where one never stopped does."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import resuming
import torch
from resuming import assert_same_tensors, options_of
from seq2seq_tools import ATTENTIONS, CPU, batch_of, random_rows, small_model

from dl_architectures import checkpoints
from dl_architectures.seq2seq.config import Config
from dl_architectures.seq2seq.predict import explain, load_model, predict_sequences
from dl_architectures.seq2seq.train import Training, learning_rate, train, train_step
from dl_shared.data.reversal import Sequences
from dl_shared.errors import InputError
from dl_shared.runs import read_config, read_history, read_summary
from dl_shared.testing.kills import KILLS, survive
from dl_shared.testing.training import assert_same_results

# Scheduled sampling is on, because its draws are what a resumed run could get wrong; 150 steps, so that a
# checkpoint falls inside an epoch, too.
CONFIG = Config(
    epochs=3,
    batch_size=10,
    symbols=5,
    min_length=2,
    max_length=6,
    train_size=500,
    test_size=100,
    learning_rate=1e-2,
    embedding_size=8,
    hidden_size=16,
    teacher_forcing="inverse_sigmoid",
)
TRAINING = resuming.Training("dl-seq2seq", options_of(CONFIG))


def assert_same_end(run: Path, reference: Path) -> None:
    """The same weights and optimizer state, bit for bit, the same log, predictions and report."""
    assert_same_tensors(run, reference, "checkpoints/*.safetensors")
    assert_same_results(run, reference)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    """A run that was never stopped."""
    return train(CONFIG, runs_dir=tmp_path_factory.mktemp("reference"))


def test_a_run_is_complete(reference):
    summary = read_summary(reference)
    assert summary["status"] == "finished"
    assert summary["metrics"]["test"]["exact_match"] > summary["metrics"]["baseline"]["exact_match"]
    assert summary["cost"]["train_seconds"] > 0
    assert [row["split"] for row in read_history(reference)] == ["train", "validation"] * 3
    losses = [row["loss"] for row in read_history(reference) if row["split"] == "validation"]
    assert losses[-1] < 0.7 * losses[0]
    assert {path.name for path in (reference / "checkpoints").iterdir()} == {"last.safetensors", "best.safetensors"}
    assert "exact match" in (reference / "report.html").read_text()


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(tmp_path, reference, kills):
    survive(TRAINING, kills, tmp_path, reference, assert_same_end)


@pytest.mark.parametrize("epoch", range(3))
def test_killed_before_a_validation_it_makes_it_when_resumed(tmp_path, reference, monkeypatch, epoch):
    with monkeypatch.context() as patch:
        finish_epoch = Training.finish_epoch

        def killed(training, finished):
            if finished == epoch:
                raise RuntimeError("killed")
            finish_epoch(training, finished)

        patch.setattr(Training, "finish_epoch", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train(CONFIG, runs_dir=tmp_path)
    (run,) = tmp_path.glob("dl-seq2seq/*")
    train(CONFIG, runs_dir=tmp_path, resume=run)
    assert_same_end(run, reference)


def test_killed_between_its_first_log_and_its_first_checkpoint_it_logs_nothing_twice(tmp_path, reference, monkeypatch):
    def killed(training):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Training, "save", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train(CONFIG, runs_dir=tmp_path)
    (run,) = tmp_path.glob("dl-seq2seq/*")
    assert len(read_history(run)) == 2
    train(CONFIG, runs_dir=tmp_path, resume=run)
    assert_same_end(run, reference)


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(tmp_path, reference):
    run = TRAINING.interrupted(tmp_path, 0.0)
    train(read_config(run, Config), runs_dir=tmp_path, resume=run)
    assert_same_end(run, reference)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_one_batch_is_learned_by_heart(attention):
    model, batch = small_model(attention), batch_of(random_rows(12, 2, 5))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03, fused=True)
    losses = [train_step(model, optimizer, batch, None, CONFIG).item() / batch.tokens for _ in range(120)]
    assert losses[0] > 1.5
    assert losses[-1] < 0.05


def test_bf16_trains_too():
    model, batch = small_model(), batch_of(random_rows(12, 2, 5))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03, fused=True)
    config = dataclasses.replace(CONFIG, precision="bf16")
    losses = [train_step(model, optimizer, batch, None, config).item() / batch.tokens for _ in range(80)]
    assert losses[-1] < 0.3 * losses[0]
    assert {param.dtype for param in model.parameters()} == {torch.float32}


def test_the_learning_rate_rises_and_falls():
    config = dataclasses.replace(CONFIG, learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(config, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[500] == pytest.approx(0.5)
    assert rates[999] < 1e-5
    assert max(rates) <= 1


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path):
    with pytest.raises(InputError, match="lower --learning-rate"):
        train(dataclasses.replace(CONFIG, learning_rate=1e30, clip_norm=1e30, warmup_steps=0), runs_dir=tmp_path)


def test_checkpoints_hold_optimizer_state_and_values_and_are_no_pickle(tmp_path):
    model, batch, path = small_model(), batch_of(random_rows(4, 2, 5)), tmp_path / "last.safetensors"
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=True)
    train_step(model, optimizer, batch, None, CONFIG)
    checkpoints.save(path, {"step": 1, "loss": 0.1 + 0.2}, model, optimizer)
    other = small_model(seed=9)
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=0.01, fused=True)
    tensors, values = checkpoints.load(path)
    checkpoints.restore(path, tensors, other, other_optimizer)
    assert values == {"step": 1, "loss": 0.1 + 0.2}
    for one in (model, other):
        train_step(one, optimizer if one is model else other_optimizer, batch, None, CONFIG)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("damage", [b"", b"\x80\x04K\x01.", b"\xff" * 100])
def test_damaged_checkpoints_are_refused(tmp_path, damage):
    path = tmp_path / "last.safetensors"
    path.write_bytes(damage)
    with pytest.raises(InputError, match="is damaged"):
        checkpoints.load(path)


def test_the_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "checkpoints" / "best.safetensors"
    checkpoints.save(path, {}, small_model("luong"))
    tensors, _ = checkpoints.load(path)
    with pytest.raises(InputError, match="another model"):
        checkpoints.restore(path, tensors, small_model("bahdanau"))
    with pytest.raises(InputError, match="is damaged"):
        load_model(tmp_path, CPU)


def test_predictions_of_a_finished_run(reference):
    model, vocabulary = load_model(reference, CPU)
    frame = pd.read_parquet(reference / "predictions.parquet")
    rows = [row.tolist() for row in frame.source[:50]]
    answers, probabilities = predict_sequences(model, vocabulary, Sequences.from_rows(rows))
    assert answers.rows() == [row.tolist() for row in frame.prediction[:50]]
    assert ((probabilities > 0) & (probabilities <= 1 + 1e-6)).all()
    example = explain(model, vocabulary, Sequences.from_rows([[3, 1, 4]]))
    assert example.source == ("bos", "3", "1", "4", "eos")
    np.testing.assert_allclose(example.weights.sum(axis=1), 1, rtol=1e-4)
    assert example.weights.shape == (len(example.answer), 5)


def test_the_run_folder_is_enough_to_predict(reference, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    name = "checkpoints/best.safetensors"
    (tmp_path / name).write_bytes((reference / name).read_bytes())
    _, vocabulary = load_model(tmp_path, CPU)
    assert vocabulary.symbols == (0, 1, 2, 3, 4)
    assert json.loads((reference / "config.json").read_text())["attention"] == "location"
