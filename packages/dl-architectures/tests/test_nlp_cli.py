"""`dl-nlp-tool` in a terminal."""

import io
import json

import nlp_tools
import pytest

from dl_architectures.nlp.answers import Finished, PictureAnswer, Preview, Working
from dl_architectures.nlp_tool import terminal
from dl_architectures.nlp_tool.cli import main
from dl_shared.testing import help_without_frameworks, refused


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    return nlp_tools.save_language_model(tmp_path_factory.mktemp("models") / "language")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def test_help_imports_no_framework():
    shown = help_without_frameworks("dl_architectures.nlp_tool.cli", "open", "run", "models")
    for option in ("--temperature", "--models-dir", "{list,download,remove}", "--database"):
        assert option in shown


def test_a_text_is_streamed_to_stdout_and_nothing_else(capsys, language):
    command = ["run", "generate", "--text", "the dog", "--model", str(language), "--max-tokens", "12", "--seed", "1"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert printed == terminal.printable(answer["text"]) + "\n"
    assert answer["model"] == str(language)
    assert (answer["seed"], answer["task"]) == (1, "generate")


def test_next_words_come_from_a_file_or_from_stdin(capsys, language, tmp_path, monkeypatch):
    file = tmp_path / "text.txt"
    file.write_text("the dog")
    shown = []
    for source in (["--text", "the dog"], ["--file", str(file)], ["--text", "-"]):
        monkeypatch.setattr("sys.stdin", io.StringIO("the dog"))
        assert main(["run", "next-word", *source, "--model", str(language), "--count", "3"]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] == shown[2]
    assert len(shown[0].splitlines()) == 3


def test_the_embedded_methods_need_no_model(capsys):
    text = "Ann Smith made the film in 1999. It is about a dog. The dog runs to the house."
    assert main(["run", "question", "--text", text, "--question", "When was the film made?"]) == 0
    assert capsys.readouterr().out.startswith("1999")
    assert main(["run", "summary", "--text", text, "--length", "short", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert all(text[start:end] in answer["text"] for start, end in answer["spans"])


def test_a_picture_is_written_to_a_file_which_is_never_replaced(capsys, tmp_path, monkeypatch):
    class Drawing:
        def answer(self, request, *, model):
            yield Working(done=1, total=request.steps)
            yield Preview(png=b"", step=2, steps=request.steps)
            yield Finished(
                answer=PictureAnswer(png=b"png of " + request.prompt.encode(), width=16, height=16, seed=7),
                model="some",
                seconds=0.1,
                notes=("It is small.",),
            )

    monkeypatch.setattr(terminal, "make_tool", lambda *_: Drawing())
    monkeypatch.setattr("dl_shared.progress.PLAIN_SECONDS", 0.0)
    output = tmp_path / "cat.png"
    assert main(["run", "image", "--text", "a cat", "--output", str(output)]) == 0
    assert output.read_bytes() == b"png of a cat"
    shown = capsys.readouterr()
    assert shown.out == f"{output}  16 x 16  seed 7\n"
    assert "drawing: 2/20 steps" in shown.err
    assert "It is small." in shown.err
    line = refused(capsys, main, "run", "image", "--text", "a dog", "--output", output)
    assert f"{output} exists; name another file with --output" in line
    assert output.read_bytes() == b"png of a cat"


def test_what_a_model_writes_cannot_command_the_terminal():
    assert terminal.printable("a\x1b[2Jb\x07\tc\n\x9bd é 日本\u3000") == "a[2Jb\tc\nd é 日本\u3000"


def test_the_list_of_models_tells_size_and_licence(capsys, language):
    assert main(["models", "--models-dir", str(language.parent)]) == 0
    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith(str(language)))
    kilobytes = (language / "model.safetensors").stat().st_size / 1000
    assert line.split()[1:] == ["here", f"{kilobytes:.1f}", "kB", "not", "stated", "next-word,", "generate,", "chat"]
    assert any("Qwen/" in line and "on the hub" in line and "apache-2.0" in line for line in lines)
    assert main(["models", "list", "--task", "sentiment", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows
    assert all(row["tasks"] == ["sentiment"] for row in rows)


def test_an_embedded_model_that_is_missing_is_said_so(capsys, tmp_path, monkeypatch):
    nlp_tools.lack_embedded_models(monkeypatch, tmp_path)
    line = refused(capsys, main, "run", "image", "--text", "a cat", "--output", tmp_path / "cat.png")
    assert "make the embedded one with: python -m dl_architectures.nlp.training.pictures train --data PATH" in line
    assert main(["models", "--task", "image"]) == 0
    assert "embedded:pictures missing" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "generate"), "give the text with --text, or a file with --file"),
        (("run", "generate", "--text", " "), "the text is empty"),
        (("run", "generate", "--file", "nowhere.txt"), "the text cannot be read"),
        (("run", "question", "--text", "a"), "say with --question what to ask about the text"),
        (("run", "generate", "--text", "a", "--temperature", "9"), "the temperature must be from 0 to 2, got 9.0"),
        (("run", "generate", "--text", "a", "--model", "a/b"), "fetch it with: dl-nlp-tool models download a/b"),
        (("run", "generate", "--text", "a", "--memory", "0"), "memory must be above 0, got 0.0"),
        (("run", "paint", "--text", "a"), "invalid choice"),
        (("models", "download"), "models download wants the id of a model, such as owner/name"),
        (("models", "list", "a/b"), "models list takes no id"),
        (("models", "remove", "a/b"), "a/b is not on this machine"),
        (("models", "download", "a/b"), "HF_HUB_OFFLINE is set"),
        (("--port", "70000"), "port must be from 0 to 65535, got 70000"),
        (("close",), "Unrecognized options: close"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(capsys, arguments, message):
    assert message in refused(capsys, main, *arguments)
