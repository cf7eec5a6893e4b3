"""Steps of an epoch: every review once, resumed anywhere, shared by processes; words and tokens by hand."""

from types import SimpleNamespace

import imdb_tools
import numpy as np
import pytest
import torch
from imdb_tools import SMALL

from dl_shared.data.encoding import encode, spans, special_tokens
from dl_shared.data.reviews import Reviews
from dl_shared.data.tokens import Tokens
from dl_shared.errors import InputError
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import EvaluationLoader, ImdbData, TokenizedReviews, TrainLoader, load_reviews
from lightning_projects.imdb.model import load_pretrained
from lightning_projects.imdb.words import preprocess

few_reviews, tiny_bert = imdb_tools.few_reviews, imdb_tools.tiny_bert

CONFIG = Config(data="sample", **SMALL)
LENGTHS = np.random.default_rng(0).integers(1, 24, 105)


def tokenized(rank=0, world_size=1):
    """Reviews whose tokens are all their own number."""
    tokens = Tokens.of([[number + 1] * length for number, length in enumerate(LENGTHS)])
    return TokenizedReviews(tokens, Reviews([""] * 105, np.arange(105) % 2), 0, rank=rank, world_size=world_size)


def numbers(part):
    """Which reviews a part holds, those that stand in left out."""
    return [int(ids[0]) - 1 for ids, weight in zip(part.input_ids, part.weights, strict=True) if weight]


def shown(steps):
    return [[sorted(numbers(part)) for part in step.parts] for step in steps]


def test_an_epoch_has_every_review_once_and_the_next_one_another_order():
    loader = TrainLoader(tokenized(), CONFIG)
    first, second = shown(loader), shown(loader)
    assert len(first) == len(loader) == 7
    assert sorted(number for step in first for part in step for number in part) == list(range(105))
    assert first != second
    assert [len(step) for step in first] == [4] * 6 + [3]


def test_parts_are_padded_to_their_longest_review_which_is_about_as_long_as_the_others():
    steps = list(TrainLoader(tokenized(), CONFIG))
    for step in steps:
        for part in step.parts:
            assert part.mask.sum(1).max() == part.input_ids.shape[1]
            assert torch.equal(part.mask, part.input_ids != 0)
            assert torch.equal(part.labels, (part.input_ids[:, 0] - 1) % 2)
    filled = sum(int((~part.mask).sum()) for step in steps for part in step.parts)
    assert filled < 0.15 * LENGTHS.sum()
    assert sum(step.reviews for step in steps) == 105


def test_padded_batches_are_all_of_one_length():
    loader = TrainLoader(tokenized(), Config(data="sample", **SMALL, batches="padded"))
    assert {part.input_ids.shape[1] for step in loader for part in step.parts} == {24}


@pytest.mark.parametrize("taken", [0, 3, 6, 7, 9])
def test_a_loader_goes_on_after_the_steps_it_had_handed_out(taken):
    def steps(loader):
        while True:
            yield from loader

    loaders = [TrainLoader(tokenized(), CONFIG) for _ in range(3)]
    whole, before, after = map(steps, loaders)
    for _ in range(taken):
        next(whole), next(before)
    loaders[2].load_state_dict(loaders[1].state_dict())
    assert shown(next(whole) for _ in range(6)) == shown(next(after) for _ in range(6))


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_each_part_and_make_as_many_steps(world_size):
    whole = shown(TrainLoader(tokenized(), CONFIG))
    loaders = [TrainLoader(tokenized(rank, world_size), CONFIG) for rank in range(world_size)]
    for expected, *shares in zip(whole, *loaders, strict=True):
        for number, part in enumerate(expected):
            own = [step.parts[number] for step in shares]
            assert sorted(number for one in own for number in numbers(one)) == part
            assert all(len(one.labels) for one in own), "a process without reviews takes one that does not count"
        assert {step.reviews for step in shares} == {sum(map(len, expected))}


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_all_reviews_are_validated_in_equally_many_batches_by_each_process(world_size):
    seen = [list(EvaluationLoader(tokenized(rank, world_size), 52)) for rank in range(world_size)]
    assert {len(batches) for batches in seen} == {3}
    assert sorted(number for batches in seen for part in batches for number in numbers(part)) == list(range(105))


def test_a_part_that_two_processes_cannot_share(few_reviews, tiny_bert):
    config = Config(data=str(few_reviews), model=str(tiny_bert), **SMALL | {"batch_size": 4})
    data = load_reviews(config)
    datamodule = ImdbData(config, data, load_pretrained(config, [])[1])
    datamodule.trainer = SimpleNamespace(global_rank=0, world_size=2)
    with pytest.raises(InputError, match="cannot be split over 2 processes"):
        datamodule.train_dataloader()


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return load_pretrained(Config(data="sample", model=str(tiny_bert), max_length=64), [])[1]


def test_tokens_of_a_long_review_by_hand(tokenizer):
    text = "the plot was dull , but the cast was superb ."
    ids, places = spans(tokenizer, text)
    assert [text[start:end] for start, end in places] == text.split()
    before, after = special_tokens(tokenizer)
    assert (before, after) == ([tokenizer.cls_token_id], [tokenizer.sep_token_id])
    (head,) = [encode(tokenizer, [text], max_length=8, truncation="head")[0].tolist()]
    assert head == [*before, *ids[:6], *after]
    (both,) = [encode(tokenizer, [text], max_length=8, truncation="head-tail")[0].tolist()]
    assert both == [*before, *ids[:1], *ids[-5:], *after]


def test_an_empty_review_and_one_of_100_000_letters(tokenizer):
    tokens = encode(tokenizer, ["", "dull " * 20000], max_length=16, truncation="head-tail")
    assert tokens.lengths.tolist() == [2, 16]


def test_kept_tokens_are_those_made_anew(tokenizer):
    texts = ["the plot was dull", "", "unknownword"]
    for truncation in ("head", "head-tail"):
        options = {"max_length": 8, "truncation": truncation}
        kept, anew = (encode(tokenizer, texts, keep=keep, **options) for keep in (True, False))
        np.testing.assert_array_equal(kept.ids, anew.ids)
        np.testing.assert_array_equal(kept.offsets, anew.offsets)


def test_stems_and_lemmas_by_hand():
    text = "He wasn't LOVING the children's movies: 3 of them <were> awful!"
    assert preprocess([text], "none") == [text]
    assert preprocess([text], "stem") == ["he wasn't love the children movi: 3 of them <were> aw!"]
    assert preprocess([text], "lemmatise") == ["he wasn't love the children's movie: 3 of they <be> awful!"]


def test_preprocessing_reaches_all_parts_and_changes_the_fingerprint(few_reviews):
    plain, stemmed = (load_reviews(Config(data=str(few_reviews), preprocess=kind)) for kind in ("none", "stem"))
    assert any("everyon" in text.split() for text in stemmed.test.texts)
    assert not any("everyon" in text.split() for text in plain.test.texts)
    assert plain.fingerprint != stemmed.fingerprint
    assert plain.rows == stemmed.rows


def test_some_of_the_training_reviews_only(few_reviews):
    some = load_reviews(Config(data=str(few_reviews), train_reviews=40))
    assert some.rows == {"train": 40, "validation": 12, "test": 30}
    assert load_reviews(Config(data=str(few_reviews), train_reviews=40), str(few_reviews)).rows["train"] == 108
