"""The tool as a page uses it: every task from folders, several sessions at once, and all that may go wrong."""

import importlib
import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import nlp_tools
import pytest
import torch

from dl_architectures.nlp import catalogue, names
from dl_architectures.nlp import shelf as shelf_module
from dl_architectures.nlp import tool as tool_module
from dl_architectures.nlp.answers import Finished, Piece, Working
from dl_architectures.nlp.api import ModelError
from dl_architectures.nlp.hub import Hub
from dl_architectures.nlp.requests import Chat, Generate, Message, NextWord, Question, Sampling, Sentiment, Summarise
from dl_architectures.nlp.sizes import bytes_in_words
from dl_architectures.nlp.tool import LocalTool
from dl_shared.errors import InputError

TEXT = "the film was made by ann smith in 1999 . the actors are wonderful . " * 6


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    nlp_tools.save_language_model(root / "language")
    nlp_tools.save_language_model(root / "other", seed=1, chat=False)
    nlp_tools.save_classifier(root / "classifier")
    nlp_tools.save_question_reader(root / "question")
    nlp_tools.save_summariser(root / "deeper" / "summariser")
    return root


@pytest.fixture(scope="module")
def tool(roots, tmp_path_factory):
    return LocalTool(roots=[roots], device="cpu", hub=Hub(cache=tmp_path_factory.mktemp("hub")))


def ask(tool, request, model, **options):
    """The events of an answer before the last, and the last."""
    *events, finished = tool.answer(request, model=None if model is None else str(model), **options)
    assert isinstance(finished, Finished)
    return events, finished


def generate(text="the dog", *, tokens=12, seed=1):
    return Generate(text=text, sampling=Sampling(max_tokens=tokens, seed=seed))


def test_the_list_has_each_folder_with_its_tasks_size_and_terms(tool, roots):
    (roots / "language" / "README.md").write_text("---\nlicense: other\nlicense_name: own-terms\n---\n# Card\n")
    folders = {model.title: model for model in tool.models() if model.source == "folder"}
    assert {title: model.tasks for title, model in folders.items()} == {
        "language": ("next-word", "generate", "chat"),
        "other": ("next-word", "generate"),
        "classifier": ("sentiment",),
        "question": ("question",),
        "summariser": ("summary",),
    }
    language = folders["language"]
    assert (language.licence, folders["other"].licence) == ("own-terms", "not stated")
    assert language.bytes == (roots / "language" / "model.safetensors").stat().st_size
    assert 4 * language.parameters < language.bytes < 4 * language.parameters + 10_000
    assert {model.title for model in tool.models("chat") if model.source == "folder"} == {"language"}
    assert all(not model.ready and model.bytes > 1e8 for model in tool.models() if model.source == "hub")


def test_sentiment_says_which_passages_weigh(tool, roots):
    events, finished = ask(tool, Sentiment(text=TEXT), roots / "classifier")
    answer = finished.answer
    assert answer.label in ("positive", "negative")
    assert sum(probability for _, probability in answer.probabilities) == pytest.approx(1, abs=1e-5)
    places = [(weight.start, weight.end) for weight in answer.weights]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(places))
    told = "".join(TEXT[start:end] for start, end in places).split()
    assert "".join(told) == TEXT.replace(" ", "")  # every word is in a passage
    assert finished.notes[0].startswith("The text was read in 2 parts")
    assert [event.done for event in events if isinstance(event, Working)][-1] == len(places)


def test_the_weight_of_a_passage_is_what_the_log_odds_lose_without_it(tool, roots):
    text = "the film is good"
    weights = {
        text[w.start : w.end]: w for w in ask(tool, Sentiment(text=text), roots / "classifier")[1].answer.weights
    }
    whole, without = (
        dict(ask(tool, Sentiment(text=shown), roots / "classifier")[1].answer.probabilities)
        for shown in (text, "the film is ")
    )
    label = max(whole, key=whole.get)
    log_odds = [torch.logit(torch.tensor(probabilities[label])) for probabilities in (whole, without)]
    assert weights["good"].value == pytest.approx(float(log_odds[0] - log_odds[1]), abs=1e-5)


def test_an_answer_to_a_question_stands_in_the_text(tool, roots):
    _, finished = ask(tool, Question(question="who made the film ?", context=TEXT), roots / "question")
    answer = finished.answer
    assert TEXT[answer.start : answer.end] == answer.text
    assert answer.text == answer.text.strip()
    assert 0 <= answer.score <= 1
    with pytest.raises(InputError, match=r"the question has \d+ tokens, and .* reads 64"):
        ask(tool, Question(question="who made it " * 20, context=TEXT), roots / "question")


def test_a_long_text_is_summarised_by_parts_and_streamed(tool, roots):
    events, finished = ask(tool, Summarise(text=TEXT, length="short"), roots / "deeper" / "summariser")
    assert finished.answer.parts > 1
    assert "".join(event.text for event in events if isinstance(event, Piece)) == finished.answer.text


def test_two_sessions_advance_side_by_side_and_do_not_mix(tool, roots):
    alone = [ask(tool, generate(seed=seed), roots / "language")[1].answer.text for seed in (1, 2)]
    streams = [tool.answer(generate(seed=seed), model=str(roots / "language")) for seed in (1, 2)]
    texts, order = ["", ""], []
    running = {0, 1}
    while running:
        for n in sorted(running):
            event = next(streams[n])
            if isinstance(event, Piece):
                texts[n] += event.text
                order.append(n)
            elif isinstance(event, Finished):
                running.remove(n)
    assert texts == alone
    assert order[:4] == [0, 1, 0, 1]


def test_many_threads_at_once_get_what_each_would_alone(tool, roots):
    seeds = range(6)
    alone = [ask(tool, generate(seed=seed), roots / "language")[1].answer for seed in seeds]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda seed: ask(tool, generate(seed=seed), roots / "language")[1].answer, seeds))
    assert together == alone


def test_a_text_that_is_stopped_is_kept_as_it_is(tool, roots):
    whole = ask(tool, generate(tokens=40), roots / "language")[1].answer
    shown = []
    events = tool.answer(generate(tokens=40), model=str(roots / "language"), cancelled=lambda: len(shown) >= 3)
    for event in events:
        if isinstance(event, Piece):
            shown.append(event.text)
        last = event
    assert last.cancelled
    assert last.answer.text == "".join(shown)
    assert whole.text.startswith(last.answer.text)
    assert last.answer.tokens < whole.tokens


def test_what_is_stopped_before_there_is_anything_has_no_answer(tool, roots):
    for request, folder in ((NextWord(text="the"), "language"), (Sentiment(text="the"), "classifier")):
        _, finished = ask(tool, request, roots / folder, cancelled=lambda: True)
        assert finished.cancelled
        assert finished.answer is None


def test_an_answer_that_is_dropped_holds_nobody_up(tool, roots):
    dropped = tool.answer(generate(), model=str(roots / "language"))
    next(event for event in dropped if isinstance(event, Piece))
    assert ask(tool, generate(), roots / "language")[1].answer.tokens > 0
    del dropped


def test_a_model_is_loaded_once_for_all_who_ask(roots, tmp_path, monkeypatch):
    loads = []
    gate = threading.Event()
    original = LocalTool._load

    def slowly(self, found):
        loads.append(found.model.id)
        gate.wait(20)
        return original(self, found)

    monkeypatch.setattr(LocalTool, "_load", slowly)
    monkeypatch.setattr(tool_module, "REPORT_SECONDS", 0.0)
    tool = LocalTool(roots=[roots], device="cpu", hub=Hub(cache=tmp_path))
    told = threading.Semaphore(0)

    def session():
        events = tool.answer(generate(), model=str(roots / "language"))
        size = bytes_in_words((roots / "language" / "model.safetensors").stat().st_size)
        assert next(events).text.startswith(f"loading {roots / 'language'}, {size}: ")
        told.release()
        return list(events)[-1].answer.text

    with ThreadPoolExecutor(3) as pool:
        sessions = [pool.submit(session) for _ in range(3)]
        assert all(told.acquire(timeout=20) for _ in sessions)
        _, stopped = ask(tool, generate(), roots / "language", cancelled=lambda: True)
        assert stopped.cancelled  # at once, although the model is still being loaded
        gate.set()
        assert len({waiting.result() for waiting in sessions}) == 1
    assert loads == [str(roots / "language")]


def test_the_model_used_least_recently_leaves_when_the_budget_is_reached(roots, tmp_path):
    sizes = {name: str(roots / name) for name in ("language", "other", "classifier")}
    tool = LocalTool(roots=[roots], device="cpu", budget=450_000, hub=Hub(cache=tmp_path))
    for name in ("language", "other", "language", "classifier"):
        request = Sentiment(text="good") if name == "classifier" else NextWord(text="the")
        ask(tool, request, sizes[name])
    assert [id for id, _ in tool.memory().models] == [sizes["classifier"], sizes["language"]]
    assert sum(size for _, size in tool.memory().models) <= tool.memory().budget
    small = LocalTool(roots=[roots], device="cpu", budget=100_000, hub=Hub(cache=tmp_path))
    with pytest.raises(InputError, match=r"takes .* kB, and models may take 100\.0 kB together; choose a smaller one"):
        ask(small, NextWord(text="the"), roots / "language")


def test_a_model_that_answers_is_not_thrown_out_of_memory_before_it_is_done(roots, tmp_path, monkeypatch):
    monkeypatch.setattr(shelf_module, "WAIT_SECONDS", 0.2)
    tool = LocalTool(roots=[roots], device="cpu", budget=250_000, hub=Hub(cache=tmp_path))
    running = tool.answer(generate(tokens=100), model=str(roots / "language"))
    next(event for event in running if isinstance(event, Piece))
    with pytest.raises(InputError, match=r"models that are answering leave no room for .*other"):
        ask(tool, NextWord(text="the"), roots / "other")
    running.close()
    ask(tool, NextWord(text="the"), roots / "other")


def test_a_model_that_fails_gives_one_line_and_the_next_answer_comes(tool, roots, monkeypatch):
    ask(tool, NextWord(text="the"), roots / "language")
    engine = tool._shelf._engines[str(roots / "language")]
    broken = torch.full_like(engine.network.lm_head.weight, torch.nan)
    whole = engine.network.lm_head.weight
    engine.network.lm_head.weight = torch.nn.Parameter(broken, requires_grad=False)
    with pytest.raises(ModelError, match=r"language failed \(RuntimeError: .*\); choose another model") as failed:
        ask(tool, generate(), roots / "language")
    assert "\n" not in str(failed.value)
    engine.network.lm_head.weight = whole
    ask(tool, generate(), roots / "language")


def test_only_folders_under_a_root_are_opened(tool, roots, tmp_path):
    outside = nlp_tools.save_language_model(tmp_path / "outside")
    (roots / "link").symlink_to(outside)
    for path in (outside, roots / "link", roots / ".." / outside.name, tmp_path / "nothing"):
        with pytest.raises(InputError, match="is not under a folder of models"):
            ask(tool, NextWord(text="the"), path)
    with pytest.raises(InputError, match="there is no folder"):
        ask(tool, NextWord(text="the"), roots / "nothing")
    assert not any("outside" in model.id or "link" in model.id for model in tool.models())
    (roots / "link").unlink()


def test_what_an_installation_lacks_is_said_with_the_command_that_makes_it(tmp_path, monkeypatch):
    lacking = nlp_tools.lack_embedded_models(monkeypatch, tmp_path / "embedded")
    tool = LocalTool(device="cpu", hub=Hub(cache=tmp_path / "hub"))
    assert {model.id for model in tool.models() if model.source == "embedded" and not model.ready} == set(lacking)
    for model in (names.LANGUAGE_MODEL, None):
        with pytest.raises(InputError) as refused:
            ask(tool, NextWord(text="the"), model)
        command = str(refused.value).partition("make")[2].partition("with: ")[2]
        python, flag, module, *options = command.split()
        assert (python, flag, options[-2:]) == ("python", "-m", ["--output", str(lacking[names.LANGUAGE_MODEL])])
        assert importlib.import_module(f"{module}.__main__").main
    assert "fetch one with: dl-nlp-tool models download HuggingFaceTB/SmolLM2-135M" in str(refused.value)
    answer = ask(tool, Question(question="Who made it?", context="Ann Smith made it."), None)[1].answer
    assert answer.text == "Ann Smith"
    nlp_tools.save_language_model(lacking[names.LANGUAGE_MODEL])
    assert ask(tool, NextWord(text="the"), None)[1].model == names.LANGUAGE_MODEL


def test_embedded_weights_that_are_damaged_do_not_spoil_the_list(tmp_path, monkeypatch):
    folder = nlp_tools.lack_embedded_models(monkeypatch, tmp_path)[names.SENTIMENT_MODEL]
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"half of a fi")
    models = {model.id: model for model in LocalTool(hub=Hub(cache=tmp_path / "hub")).models()}
    assert not models[names.SENTIMENT_MODEL].ready
    assert models[names.SUMMARY_METHOD].ready
    assert models.keys() >= catalogue.EMBEDDED.keys()


def damaged(folder, change):
    nlp_tools.save_language_model(folder)
    change(folder)
    return folder


def _config(folder, **values):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "holds no weights as safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x80\x04 not safetensors"), "is damaged, or no file of"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").unlink(), "holds no model: there is neither config.json nor model_index.json"),
        (lambda f: (f / "config.json").write_text("0.5"), "config.json is damaged; fetch the model again"),
        (
            lambda f: (f / "chat_template.jinja").rename(f / "t") and (f / "tokenizer_config.json").write_text('"a"'),
            "is damaged",
        ),
        (lambda f: _config(f, architectures=["ViTForImageClassification"]), "a model for none of the tasks"),
        (lambda f: _config(f, architectures=[0.5]), "a model for none of the tasks"),
        (lambda f: _config(f, architectures=7), "a model for none of the tasks"),
        (lambda f: _config(f, num_hidden_layers=3), "the weights of .* lack model.layers.2"),
        (lambda f: _config(f, hidden_size=64), "cannot be loaded"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded|failed"),
    ],
)
def test_a_folder_that_is_no_sound_model_is_refused_in_one_line(tmp_path, change, message):
    folder = damaged(tmp_path / "model", change)
    with pytest.raises(InputError, match=message) as refused:
        ask(LocalTool(roots=[tmp_path], device="cpu", hub=Hub(cache=tmp_path / "hub")), NextWord(text="the"), folder)
    assert "\n" not in str(refused.value)


def test_code_that_comes_with_a_model_is_not_run(tmp_path):
    folder = nlp_tools.save_language_model(tmp_path / "model")
    witness = tmp_path / "witness"
    (folder / "own.py").write_text(f"open({str(witness)!r}, 'w')\nclass Own: pass\n")
    own = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"]}
    _config(folder, auto_map=own, model_type="own-model")
    with pytest.raises(InputError):
        ask(LocalTool(roots=[tmp_path], device="cpu", hub=Hub(cache=tmp_path / "hub")), NextWord(text="the"), folder)
    assert not witness.exists()


def test_a_model_for_another_task_or_that_is_not_here_is_refused(tool, roots):
    with pytest.raises(InputError, match="does not do chat, but next word, text generation; choose another model"):
        ask(tool, Chat(messages=(Message(role="user", content="hi"),)), roots / "other")
    with pytest.raises(InputError, match=r"a/b is not on this machine; fetch it with: dl-nlp-tool models download a/b"):
        ask(tool, NextWord(text="the"), "a/b")
    with pytest.raises(InputError, match="is no id of a model on the hub"):
        ask(tool, NextWord(text="the"), "../../etc")
