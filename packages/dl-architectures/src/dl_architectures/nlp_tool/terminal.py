"""What the verbs do: open the page, do one task in the terminal, and see to the models."""

import dataclasses
import logging
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import platformdirs

from dl_architectures.nlp import requests
from dl_architectures.nlp.answers import (
    Answer,
    Event,
    Finished,
    Loading,
    NextWordAnswer,
    PictureAnswer,
    Piece,
    Preview,
    QuestionAnswer,
    SentimentAnswer,
    SummaryAnswer,
    Working,
)
from dl_architectures.nlp.api import Model, Tool
from dl_architectures.nlp.sizes import bytes_in_words
from dl_architectures.nlp.tool import LocalTool
from dl_architectures.nlp_tool.options import ModelsOptions, OpenOptions, RunTaskOptions, ToolOptions
from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.progress import progress, say

STRONG = 12  # words that are shown with what they did for the label


def make_tool(options: ToolOptions, *roots: Path) -> LocalTool:
    """The tool that the options ask for, with further roots."""
    folders = options.models_dir or (platformdirs.user_data_path("dl-nlp-tool") / "models",)
    budget = None if options.memory is None else int(options.memory * 1e9)
    return LocalTool(roots=(*folders, *roots), budget=budget, device=options.device)


def open_page(options: OpenOptions) -> dict[str, Any]:
    """Serve the page until Ctrl-C."""
    from dl_architectures.nlp_tool.serve import serve

    serve(options, lambda: make_tool(options))
    return {}


def run(options: RunTaskOptions) -> dict[str, Any]:
    """Do a task; what is printed is printed as it comes, unless --json asks for one object at the end."""
    logging.getLogger("dl_architectures").addHandler(logging.NullHandler())  # what fails is told in one line
    request = _request(options)
    if options.task == "image" and options.output.exists():
        raise InputError(f"{options.output} exists; name another file with --output")
    given = Path(options.model) if options.model else None
    folder = given.resolve() if given is not None and given.is_dir() else None
    tool = make_tool(options, *([folder] if folder else []))
    events = tool.answer(request, model=str(folder) if folder else options.model)
    if isinstance(request, requests.Picture):
        events = _with_bar(events, request.steps)
    finished = _follow(events, quiet=options.json)
    answer = finished.answer
    assert answer is not None  # nothing was cancelled
    if isinstance(answer, PictureAnswer):
        with atomic_path(options.output) as temporary:
            temporary.write_bytes(answer.png)
    if not options.json:
        for line in _lines(answer, request, options):
            print(printable(line))
    for note in finished.notes:
        say(note)
    return {"task": options.task, "model": finished.model, "seconds": finished.seconds, **_as_object(answer, options)}


def models(options: ModelsOptions) -> list[dict[str, Any]]:
    """List, fetch or remove models."""
    tool = make_tool(options)
    if options.action == "remove":
        assert options.id is not None
        rows: list[dict[str, Any]] = [{"id": options.id, "freed": tool.remove(options.id)}]
        lines = [f"{options.id} is removed; {bytes_in_words(rows[0]['freed'])} are free again"]
    else:
        shown = _fetched(tool, str(options.id)) if options.action == "download" else tool.models(options.task)
        rows, lines = [_row(model) for model in shown], [_line(model) for model in shown]
    if not options.json:
        print("\n".join(lines))
    return rows


def printable(text: str) -> str:
    """The text without control characters, which could make a terminal do things."""
    return "".join(character for character in text if character in "\n\t" or unicodedata.category(character) != "Cc")


def _request(options: RunTaskOptions) -> requests.Request:
    text = _text(options)
    sampling = requests.Sampling(
        max_tokens=options.max_tokens, temperature=options.temperature, top_p=options.top_p, seed=options.seed
    )
    match options.task:
        case "next-word":
            return requests.NextWord(text=text, count=options.count)
        case "generate":
            return requests.Generate(text=text, sampling=sampling)
        case "chat":
            message = requests.Message(role="user", content=text)
            return requests.Chat(messages=(message,), system=options.system, sampling=sampling)
        case "sentiment":
            return requests.Sentiment(text=text)
        case "question":
            if options.question is None:
                raise InputError("say with --question what to ask about the text")
            return requests.Question(question=options.question, context=text)
        case "summary":
            return requests.Summarise(text=text, length=options.length)
        case "image":
            return requests.Picture(
                prompt=text, steps=options.steps, guidance=options.guidance, size=options.size, seed=options.seed
            )


def _text(options: RunTaskOptions) -> str:
    if (options.text is None) == (options.file is None):
        raise InputError("give the text with --text, or a file with --file; --text - reads standard input")
    try:
        if options.file is not None:
            return options.file.read_text(encoding="utf-8")
        return sys.stdin.read() if options.text == "-" else str(options.text)
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise InputError(f"the text cannot be read: {error}") from None


def _with_bar(events: Iterator[Event], steps: int) -> Iterator[Event]:
    """The same events, while a bar shows how many steps of a picture are done."""
    with progress(steps, "drawing", unit="steps") as bar:
        for event in events:
            if isinstance(event, Working | Preview):
                bar.advance(1)
            yield event


def _follow(events: Iterator[Event], *, quiet: bool) -> Finished:
    """Print pieces as they come; returns the last event."""
    for event in events:
        match event:
            case Piece(text=text) if not quiet:
                print(printable(text), end="", flush=True)
            case Loading(text=text):
                say(text)
            case Finished():
                return event
    raise AssertionError("an answer ends with Finished")


def _lines(answer: Answer, request: requests.Request, options: RunTaskOptions) -> Iterator[str]:
    """What is printed of an answer, besides the pieces that have been."""
    match answer:
        case NextWordAnswer(words=words):
            for word in words:
                yield f"{word.probability:7.2%}  {word.text}"
        case SentimentAnswer():
            yield f"{answer.label}  {answer.confidence:.1%}"
            assert isinstance(request, requests.Sentiment)
            for weight in sorted(answer.weights, key=lambda weight: -abs(weight.value))[:STRONG]:
                yield f"{weight.value:+8.2f}  {request.text[weight.start : weight.end]}"
        case QuestionAnswer(found=True):
            yield f"{answer.text}  {answer.score:.1%}"
        case QuestionAnswer():
            yield "not in the text"
        case SummaryAnswer(spans=spans):
            yield answer.text if spans else ""
        case PictureAnswer():
            yield f"{options.output}  {answer.width} x {answer.height}  seed {answer.seed}"
        case _:
            yield ""


def _as_object(answer: Answer, options: RunTaskOptions) -> dict[str, Any]:
    values = dataclasses.asdict(answer)
    if isinstance(answer, PictureAnswer):
        values["png"] = str(options.output)
    return values


def _row(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "tasks": list(model.tasks),
        "bytes": model.bytes,
        "licence": model.licence,
        "ready": model.ready,
        "remedy": model.remedy,
        "about": model.about,
    }


def _line(model: Model) -> str:
    size = bytes_in_words(model.bytes) if model.bytes else ""  # a classical method has no weights
    here = "here" if model.ready else "on the hub" if model.source == "hub" else "missing"
    return printable(f"{model.id:60} {here:11} {size:>10}  {model.licence:24} {', '.join(model.tasks)}")


def _fetched(tool: Tool, hub_id: str) -> tuple[Model, ...]:
    """Fetch a model, after telling its size and licence."""
    model = tool.look_up(hub_id)
    say(f"{model.id}: {bytes_in_words(model.bytes)}, licence: {model.licence}")
    total = max(1, (model.bytes or 0) // 1_000_000)
    done = 0
    with progress(total, f"fetching {model.id}", unit="MB") as bar:
        for event in tool.download(model.id):
            now = round((event.share or 0.0) * total)
            bar.advance(max(0, now - done))
            done = max(done, now)
    return (dataclasses.replace(model, ready=True),)
