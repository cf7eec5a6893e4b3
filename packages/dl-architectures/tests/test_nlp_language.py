"""How a language model reads and writes: against numbers worked by hand, and against all at once."""

import itertools
from types import SimpleNamespace

import nlp_tools
import pytest
import torch
import transformers

from dl_architectures.nlp.api import never
from dl_architectures.nlp.decoding import BLOCK, Pieces, Reader, sampler
from dl_architectures.nlp.language import LanguageModel
from dl_architectures.nlp.requests import Chat, Generate, Message, NextWord, Sampling
from dl_architectures.nlp.turns import Turns
from dl_architectures.nlp.words import Surfaces, next_words
from dl_shared.errors import InputError


def finish(progress):
    """The pieces of an answer, and its outcome."""
    pieces = []
    while True:
        try:
            pieces.append(next(progress).text)
        except StopIteration as end:
            return pieces, end.value


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = nlp_tools.save_language_model(tmp_path_factory.mktemp("model"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    return LanguageModel("tiny", tokenizer, network, 128)


def user(*contents):
    roles = itertools.cycle(("user", "assistant"))
    return tuple(Message(role=role, content=content) for role, content in zip(roles, contents, strict=False))


def test_pieces_are_whole_characters_and_together_the_text(model):
    text = "the dog, héllo 日本! ünï"
    ids = model.tokenizer(text).input_ids
    pieces = Pieces(model.tokenizer)
    given = [pieces.add(token) for token in ids]
    assert "".join(given) + pieces.rest() == text
    assert "" in given  # a Japanese character takes more tokens than one
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in given)


def test_reading_token_by_token_is_reading_at_once(model):
    ids = torch.tensor([model.tokenizer(nlp_tools.TEXTS[2]).input_ids])
    reader = Reader(model.network, model.turns)
    for token in ids.split(1, dim=1):
        stepwise = reader.read(token)
    with torch.inference_mode():
        at_once = model.network(ids).logits[:, -1]
    torch.testing.assert_close(stepwise, at_once, rtol=1e-4, atol=1e-5)


class Memoryless:
    """A network that keeps no cache."""

    device = torch.device("cpu")

    def __init__(self, network):
        self.network = network

    def forward(self, input_ids): ...

    def __call__(self, input_ids, past_key_values, use_cache):
        assert past_key_values is None
        return SimpleNamespace(logits=self.network(input_ids, use_cache=False).logits)


def test_a_network_without_a_cache_writes_the_same(model):
    ids = torch.tensor([model.tokenizer(nlp_tools.TEXTS[0]).input_ids])
    with_cache, without = Reader(model.network, Turns()), Reader(Memoryless(model.network), Turns())
    for part in (ids[:, :5], ids[:, 5:]):
        torch.testing.assert_close(with_cache.read(part), without.read(part), rtol=1e-4, atol=1e-5)


def test_a_long_prompt_can_be_cancelled_between_blocks(model):
    asked = iter([False, True])
    read = []
    network = Memoryless(model.network)
    network.network = lambda ids, **_: read.append(ids.shape[1]) or SimpleNamespace(logits=torch.zeros(1, 1, 5))
    assert (
        Reader(network, Turns()).read_prompt(torch.zeros(1, 3 * BLOCK, dtype=torch.long), lambda: next(asked)) is None
    )
    assert read == [BLOCK]


def test_the_nucleus_leaves_out_what_is_improbable():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    pick = sampler(Sampling(top_p=0.75), seed=0)
    drawn = [pick(torch.tensor([]).long(), logits) for _ in range(400)]
    assert set(drawn) == {0, 1}
    assert sum(token == 0 for token in drawn) / 400 == pytest.approx(
        0.654, abs=0.06
    )  # 0.5^1.25 / (0.5^1.25 + 0.3^1.25)
    assert {sampler(Sampling(top_p=0.01), seed=1)(torch.tensor([]).long(), logits) for _ in range(20)} == {0}
    assert sampler(Sampling(temperature=0.0), seed=1)(torch.tensor([]).long(), logits) == 0


class Chain:
    """A network whose next token depends on the last alone: token texts and a table of probabilities."""

    device = torch.device("cpu")
    texts = (" the", " ca", "t", "r", ",", " dog")
    table = torch.tensor(
        [
            [0.0, 0.6, 0.0, 0.0, 0.1, 0.3],  # after " the"
            [0.1, 0.0, 0.5, 0.3, 0.1, 0.0],  # after " ca": a word of its own with 0.2
            [0.4, 0.0, 0.0, 0.0, 0.6, 0.0],  # after "t": the word is over
            [0.2, 0.2, 0.5, 0.0, 0.0, 0.1],  # after "r": half of the time "t", which makes " cart"
            [0.5, 0.5, 0.0, 0.0, 0.0, 0.0],
            [0.5, 0.0, 0.0, 0.0, 0.5, 0.0],
        ]
    )

    def forward(self, input_ids): ...

    def __call__(self, input_ids, past_key_values, use_cache):
        return SimpleNamespace(logits=self.table[input_ids].log())


@pytest.mark.parametrize("spaced", [False, True])
def test_next_words_are_whole_words_with_their_probability(spaced):
    joins = torch.tensor([text[0] != " " and text != "," for text in Chain.texts])
    surfaces = Surfaces(list(Chain.texts), joins, torch.ones(6, dtype=torch.bool))
    reader = Reader(Chain(), Turns())
    logits = reader.read(torch.tensor([[0]]))
    words = next_words(reader, logits, surfaces, count=6, spaced=spaced, cancelled=never)
    expected = {"dog": 0.3, "cat": 0.6 * 0.5, "ca": 0.6 * 0.2, "car": 0.6 * 0.3 * 0.5, "cart": 0.6 * 0.3 * 0.5}
    shown = {word if spaced else f" {word}": probability for word, probability in expected.items()}
    if not spaced:
        shown[","] = 0.1
    assert {word.text: word.probability for word in words} == pytest.approx(shown)
    assert [word.probability for word in words] == sorted((word.probability for word in words), reverse=True)


def test_a_space_at_the_end_of_the_text_changes_the_words_form_only(model):
    plain, spaced = (
        finish(model.answer(NextWord(text=text, count=40), never))[1].answer.words for text in ("the", "the ")
    )
    beginning_with_space = [word for word in plain if word.text.startswith(" ")]
    assert beginning_with_space
    assert {w.text[1:] for w in beginning_with_space} <= {w.text for w in spaced}


def test_a_text_that_is_too_long_is_refused_or_cut_with_a_word_about_it(model):
    long = "the dog " * 80
    with pytest.raises(InputError, match=r"the text has \d+ tokens, and tiny reads fewer than 128; shorten the text"):
        finish(model.answer(Generate(text=long), never))
    assert finish(model.answer(NextWord(text=long), never))[1].notes[0].startswith("Only the last 122 of ")
    _, outcome = finish(model.answer(Generate(text="the dog", sampling=Sampling(max_tokens=2000)), never))
    assert outcome.notes[0].startswith("The model has room for 12")


def test_a_seed_gives_the_text_again_and_its_pieces_are_the_text(model):
    pieces, first = finish(model.answer(Generate(text="the dog"), never))
    assert "".join(pieces) == first.answer.text
    _, again = finish(model.answer(Generate(text="the dog", sampling=Sampling(seed=first.answer.seed)), never))
    assert again.answer == first.answer
    _, other = finish(model.answer(Generate(text="the dog", sampling=Sampling(seed=first.answer.seed ^ 1)), never))
    assert other.answer.text != first.answer.text


def test_the_end_of_a_turn_ends_the_answer(model, monkeypatch):
    monkeypatch.setattr(model, "ends", frozenset(range(len(model.tokenizer))))
    pieces, outcome = finish(model.answer(Chat(messages=user("hi")), never))
    assert (pieces, outcome.answer.text, outcome.answer.tokens) == ([], "", 0)


def test_the_oldest_turns_are_forgotten_where_they_do_not_fit(model):
    chat = Chat(messages=user("the dog " * 50, "the cat", "the film", "good", "bad?"), sampling=Sampling(max_tokens=20))
    ids, notes = model._conversation(chat)
    assert notes == ("The first 2 messages are forgotten: they no longer fit.",)
    assert (
        model.tokenizer.decode(ids) == "<|user|>the film<|end|><|assistant|>good<|end|><|user|>bad?<|end|><|assistant|>"
    )
    with pytest.raises(InputError, match="the message and the system prompt have"):
        finish(model.answer(Chat(messages=user("the dog " * 90)), never))


def test_of_a_long_conversation_no_more_is_read_than_fits(model, monkeypatch):
    read, apply = [], model._apply
    monkeypatch.setattr(model, "_apply", lambda turns: read.append(len(turns)) or apply(turns))
    _, notes = model._conversation(Chat(messages=user(*["the dog ran"] * 399)))
    assert "messages are forgotten" in notes[0]
    assert max(read) < 40


def test_a_template_without_a_place_for_the_system_prompt_has_it_in_the_first_turn(model, monkeypatch):
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + nlp_tools.CHAT
    monkeypatch.setattr(model.tokenizer, "chat_template", refusing)
    ids, _ = model._conversation(Chat(messages=user("hi"), system="be good"))
    assert model.tokenizer.decode(ids) == "<|user|>be good\n\nhi<|end|><|assistant|>"
    monkeypatch.setattr(model.tokenizer, "chat_template", None)
    with pytest.raises(InputError, match="tiny has no chat template, and cannot tell who speaks"):
        finish(model.answer(Chat(messages=user("hi")), never))
