"""A finished run: text that it writes, and the scoring of other texts."""

import sys
from pathlib import Path
from typing import Any

from dl_shared.cli import EvaluateOptions
from dl_shared.tasks import shakespeare
from flax_projects.shakespeare.decode import Sampling
from flax_projects.shakespeare.options import GenerateOptions
from flax_projects.shakespeare.writer import Continuation, Writer, check_prompt, load_writer


def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Score a run on the test part of another text; kept under RUN/evaluations/."""
    run = Path(options.run)
    writer = load_writer(run)
    data = shakespeare.load(options.data)
    return shakespeare.evaluate(run, data, writer.test_nats(data))


def generate(options: GenerateOptions) -> list[dict[str, Any]]:
    """Continue the prompt, showing the text as it is written; one row for each text.

    Raises:
        InputError: if the run cannot be used, or knows no character of the prompt.
    """
    writer = load_writer(Path(options.run))
    check_prompt(options.prompt, writer.vocab)
    texts = _searched(writer, options) if options.beams else _drawn(writer, options)
    method = _method(options)
    return [{"method": method, "log_probability": value, "text": options.prompt + text} for text, value in texts]


def _drawn(writer: Writer, options: GenerateOptions) -> list[Continuation]:
    sampling = Sampling(0.0 if options.greedy else options.temperature, options.top_k, options.top_p)
    prompts = [options.prompt] * options.samples
    if options.samples > 1:
        texts = writer.write(prompts, options.length, sampling, seed=options.seed)
        _show(options.prompt, texts)
        return texts
    pieces = []
    sys.stdout.write(options.prompt)
    for (piece,) in writer.stream(prompts, options.length, sampling, seed=options.seed):
        sys.stdout.write(piece.text)
        sys.stdout.flush()
        pieces.append(piece)
    sys.stdout.write("\n")
    return [Continuation("".join(piece.text for piece in pieces), sum(piece.log_probability for piece in pieces))]


def _searched(writer: Writer, options: GenerateOptions) -> list[Continuation]:
    (found,) = writer.search([options.prompt], options.length, options.beams)
    _show(options.prompt, found[: options.samples])
    return found[: options.samples]


def _show(prompt: str, texts: list[Continuation]) -> None:
    for number, (text, log_probability) in enumerate(texts, 1):
        print(f"--- {number} of {len(texts)}, log probability {log_probability:.2f}\n{prompt}{text}")


def _method(options: GenerateOptions) -> str:
    """As the samples of a run name it."""
    if options.beams:
        return f"beam search, {options.beams} beams"
    if options.greedy or options.temperature == 0:
        return "greedy"
    narrowed = [f"top {options.top_k}"] if options.top_k else []
    narrowed += [f"nucleus {options.top_p:g}"] if options.top_p < 1 else []
    return ", ".join([f"temperature {options.temperature:g}", *narrowed])
