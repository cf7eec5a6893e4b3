"""The command that trains the embedded language model: what it reads, and that a stopped training ends the same."""

import dataclasses
import json

import numpy as np
import pytest
from nlp_trainings import LANGUAGE_MODEL as CONFIG
from nlp_trainings import ended_before

from dl_architectures.nlp.training.language_model import dialogues
from dl_architectures.nlp.training.language_model.__main__ import MODULE, main
from dl_architectures.nlp.training.language_model.dialogues import Dialogue
from dl_architectures.nlp.training.language_model.model import load_exported
from dl_architectures.nlp.training.language_model.scoring import reply
from dl_architectures.nlp.training.language_model.subwords import Windows, laid_out
from dl_architectures.nlp.training.language_model.texts import articles, detokenised, load, speeches
from dl_architectures.nlp.training.language_model.train import train
from dl_shared.data.reviews import Reviews
from dl_shared.data.tokens import Tokens
from dl_shared.runs import read_history, read_summary
from dl_shared.testing import help_without_frameworks, refused


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training that was never stopped."""
    return train(CONFIG, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def written(run):
    """The model and its tokenizer, read as transformers reads them."""
    return load_exported(run / "model")


def test_the_loss_falls_and_beats_nothing_learned(run):
    losses = [row["loss"] for row in read_history(run) if row["split"] == "validation"]
    assert losses[-1] < losses[0] < np.log(CONFIG.vocab_size)
    metrics = read_summary(run)["metrics"]
    assert 0 < metrics["test"]["bits_per_byte"] < 3
    assert metrics["baseline"]["per_source"].keys() == metrics["test"]["per_source"].keys()
    assert 0 <= metrics["test"]["ended_turns"] <= 1


def test_what_is_written_is_in_half_precision_and_says_what_it_is(run):
    kept = json.loads((run / "model" / "config.json").read_text())
    assert kept["dtype"] == "float16"
    assert kept["tie_word_embeddings"] is True
    card = (run / "model" / "README.md").read_text()
    assert f"python -m {MODULE} train --data sample --output FOLDER" in card
    assert f"{read_summary(run)['metrics']['test']['bits_per_byte']:.4f}" in card
    assert str(run.parent) not in card
    assert not list((run / "model").glob("*.bin"))


def test_the_chat_template_lays_a_dialogue_out_as_it_was_learned(written):
    model, tokenizer = written
    dialogue = Dialogue("You talk about films.", ("Hello", "Hi!", " How are you? ", "Fine."))
    assert tokenizer.apply_chat_template(dialogue.messages, tokenize=False) == laid_out(dialogue)
    asked = tokenizer.apply_chat_template(dialogue.messages[:2], tokenize=False, add_generation_prompt=True)
    assert laid_out(dialogue).startswith(asked)
    text, _ = reply(model, tokenizer, dialogue.messages[:2], seed=0)
    assert "<|" not in text


def test_subwords_know_every_text(written):
    _, tokenizer = written
    for text in ("Café — 東京 😀\n\ttabs", "the plot was dull ."):
        ids = tokenizer(text).input_ids
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_stopped_between_two_checkpoints_and_resumed_it_ends_the_same(run, tmp_path):
    with ended_before(29):
        train(CONFIG, runs_dir=tmp_path)
    (stopped,) = (tmp_path / MODULE).iterdir()
    train(CONFIG, runs_dir=tmp_path, resume=stopped)
    assert (stopped / "model" / "model.safetensors").read_bytes() == (run / "model" / "model.safetensors").read_bytes()
    assert read_history(stopped) == read_history(run)
    assert read_summary(stopped)["metrics"] == read_summary(run)["metrics"]


def test_windows_read_every_token_once_in_another_order_each_epoch():
    tokens = Tokens.of([np.arange(first, first + 7) for first in range(0, 70, 7)])
    windows = Windows(tokens, np.ones(10, np.int64), context=3, seed=0)
    assert windows.count == 23
    first, second = (windows.batch(epoch, np.arange(windows.count)) for epoch in (0, 1))
    assert first.shape == (23, 4)
    assert len(np.unique(first[:, :3])) == first[:, :3].size == 69
    assert (first[:-1, 3] == first[1:, 0]).all()
    assert not np.array_equal(first, second)
    assert np.array_equal(first, windows.batch(0, np.arange(windows.count)))


def test_dialogues_that_are_read_twice_are_in_the_windows_twice():
    tokens = Tokens.of([np.full(10, 1), np.full(10, 2)])
    windows = Windows(tokens, np.array([1, 2]), context=1, seed=0)
    assert np.bincount(windows.batch(0, np.arange(windows.count))[:, 0]).tolist()[1:] in ([10, 19], [9, 20])


def test_plays_are_cut_into_speeches():
    text = "First Citizen:\nBefore we proceed,\nhear me.\n\nAll:\nSpeak.\n\nNo colon here\nnothing"
    assert speeches(text) == [("First Citizen", "Before we proceed,\nhear me."), ("All", "Speak.")]


def test_articles_are_in_usual_spelling_without_words_left_out():
    text = (
        " = Ship = \n \n The ship , built in 1 @,@ 900 days , sank . It was <unk> then . She had a well @-@ known crew"
        " . \n"
        " = = History = = \n \n The captain 's log ( lost ) was found . \n = Empty = \n \n An <unk> sentence . \n"
    )
    assert articles(text) == [
        (
            "Ship",
            "The ship, built in 1,900 days, sank. She had a well-known crew.\nThe captain's log (lost) was found.",
        )
    ]
    assert detokenised('He said " no " .') == 'He said "no".'


def test_a_film_is_praised_where_praise_was_asked_for():
    reviews = Reviews(["A fine film. I liked it."] * 50 + ["A bad film."] * 50, np.repeat([1, 0], 50))
    made = dialogues.about_films(reviews, seed=0)
    assert len(made) == 100
    for dialogue, label in zip(made, reviews.labels, strict=True):
        question, answer = dialogue.turns
        assert question not in (dialogues.ASK_BAD if label else dialogues.ASK_GOOD)
        assert answer.startswith("A fine film." if label else "A bad film.")


def test_speeches_become_turns_of_two():
    scene = [("A", "Who's there?"), ("B", "Nay, answer me."), ("A", "x" * 1000), ("B", "Long live the king!")]
    (made,) = dialogues.from_plays([scene], seed=0)
    assert made.turns == ("Who's there?", "Nay, answer me.")
    assert [message["role"] for message in made.messages][-2:] == ["user", "assistant"]


def test_what_is_tested_was_never_read():
    texts = load("sample", seed=0)
    for name, documents in texts.test.documents.items():
        assert documents
        assert not set(documents) & set(texts.train.documents[name])
    assert texts.fingerprint == load("sample", seed=0).fingerprint


def test_help_imports_nothing_heavy():
    assert "--vocab-size" in help_without_frameworks(f"{MODULE}.__main__", "train")


def test_bad_input_is_refused_and_leaves_nothing(capsys, tmp_path):
    def line(*arguments):
        return refused(capsys, main, "train", "--runs-dir", tmp_path / "runs", *arguments)

    (tmp_path / "empty").mkdir()
    assert "none of the folders imdb, shakespeare and wikitext2" in line("--data", tmp_path / "empty")
    assert "is no folder" in line("--data", tmp_path / "nothing")
    assert "`sample` or a folder" in line("--data", "hub")
    assert "multiple of 2 * heads" in line("--hidden-size", 100, "--heads", 3)
    (tmp_path / "empty" / "shakespeare").mkdir()
    assert "0 files that end in .txt" in line("--data", tmp_path / "empty")
    assert not list((tmp_path / "runs").glob("*/*"))


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    config = dataclasses.replace(CONFIG, learning_rate=1e30, clip_norm=1e30, warmup_steps=0)
    with pytest.raises(ValueError, match="lower --learning-rate"):
        train(config, runs_dir=tmp_path)
