"""How fast dl-nlp-tool answers, and whether its memory stays flat.

    python benchmarks/dl_nlp_tool.py [--tasks NAME ...] [--model TASK=ID ...] [--answers N] [--requests N] [--threads N]

`first` is how long a new process takes to answer its first question, with libraries and model still to be read.
`median` and `95 of 100` are of a warm tool, over questions that differ; `piece` is the time to the first piece of a
text, or to the first preview of a picture, if it has one. `anew` is the textbook way of a script, or of a page without
a cache: the libraries' own classes, loaded for each question (the libraries are imported already). `pipeline` is that
of transformers or diffusers, loaded once. All of them read the same weights and write the same number of tokens. Each
task has a process of its own, in which the tool comes first: a picture is drawn in a thread of its own, and where the
thread that asks has computed before, as it does in a pipeline, GNU's OpenMP holds threads for both, more than there are
cores, and lets those that wait sleep, which small operations pay for. `of peak` is the share of a large matrix
product's speed that the median makes use of, which is little, as small networks wait for Python and for memory; what a
thread of its own computes, as that of a picture does, is not counted. Memory is that of a new process, over
`--requests` questions of all tasks in turn, short ones where a task writes or draws; the slope is that of a straight
line through the second half. A task without a model is left out.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, get_args

from rows import add_machine, add_row

from dl_architectures.nlp import answers, names, requests
from dl_architectures.nlp.api import Model
from dl_architectures.nlp.tool import LocalTool
from dl_shared.progress import progress

Ask = Callable[[requests.Request], Any]

TOKENS, STEPS = 40, 20  # of a text, of a picture
FEW = 4  # of both, where only memory is looked at
TEXTBOOK = 5  # answers of it
SUBJECTS = ("film", "play", "story", "city", "king", "garden", "river", "song", "house", "ship", "winter")
QUALITIES = ("wonderful", "terrible", "long", "quiet", "strange", "old", "famous", "dull", "beautiful")


def request(task: names.Task, number: int, *, short: bool = False) -> requests.Request:
    """A question that differs from the one before."""
    subject, quality = SUBJECTS[number % len(SUBJECTS)], QUALITIES[number % len(QUALITIES)]
    text = f"The {subject} was {quality}, and number {number} of its kind."
    sampling = requests.Sampling(max_tokens=FEW if short else TOKENS, seed=number)
    match task:
        case "next-word":
            return requests.NextWord(text=f"The {quality} {subject} number {number} was one of the")
        case "generate":
            return requests.Generate(text=text, sampling=sampling)
        case "chat":
            return requests.Chat(messages=(requests.Message(role="user", content=text),), sampling=sampling)
        case "sentiment":
            return requests.Sentiment(text=f"{text} I saw it with my family, and we talked about it for days. " * 5)
        case "question":
            about = f"It is {number + 2} years old, and Anna Lindqvist made it in the north."
            return requests.Question(question=f"Who made the {subject}?", context=f"{text} {about} " * 20)
        case "summary":
            other = f"Many people came to see the {quality} {subject}. Some of them stayed for {number + 2} days."
            return requests.Summarise(text=f"{text} {other} " * 20)
        case "image":
            return requests.Picture(prompt=f"a {quality} {subject}", steps=FEW if short else STEPS, seed=number)


def ask(tool: LocalTool, asked: requests.Request, model: str) -> tuple[float, float]:
    """Seconds to the first piece or preview of an answer (0 without one), and to its end."""
    start, first = time.perf_counter(), 0.0
    for event in tool.answer(asked, model=model):
        if not first and isinstance(event, answers.Piece | answers.Preview):
            first = time.perf_counter() - start
    return first, time.perf_counter() - start


def make_tool(*models: str) -> LocalTool:
    """A tool that may read the models, where they are folders."""
    return LocalTool(roots=[Path(model) for model in models if Path(model).is_absolute()])


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process in which nothing was imported or loaded."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(function, *arguments).result()


def first_answer(task: names.Task, model: str) -> float:
    """Seconds to the end of the answer of a tool that was just made."""
    start = time.perf_counter()
    ask(make_tool(model), request(task, 0), model)
    return time.perf_counter() - start


def warm(tool: LocalTool, task: names.Task, model: str, count: int) -> tuple[list[float], list[float]]:
    """Seconds to the first piece and to the end, of `count` answers after a first one."""
    ask(tool, request(task, 0), model)
    found = [ask(tool, request(task, number), model) for number in range(1, count + 1)]
    return [first for first, _ in found], [whole for _, whole in found]


def operations(tool: LocalTool, task: names.Task, model: str) -> int:
    """On floating-point numbers, for one answer, by PyTorch in this thread; 0 for a method without a network."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        ask(tool, request(task, 1), model)
    return counter.get_total_flops()


def textbook(task: names.Task, folder: Path) -> Callable[[], Ask] | None:
    """What a tutorial does: a function that loads the model and returns one that asks it; None where there is none."""
    if task != "image" and not (folder / "tokenizer_config.json").is_file():
        return None  # of no library: our own n-grams
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    def next_word() -> Ask:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

        def answer(asked: Any) -> Any:
            with torch.no_grad():
                return network(**tokenizer(asked.text, return_tensors="pt")).logits[0, -1].softmax(-1).topk(10)

        return answer

    def write() -> Ask:
        pipeline = transformers.pipeline("text-generation", str(folder), dtype=torch.float32)
        limits = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": True}

        def answer(asked: Any) -> Any:
            chat = isinstance(asked, requests.Chat)
            return pipeline([{"role": "user", "content": asked.messages[0].content}] if chat else asked.text, **limits)

        return answer

    def judge() -> Ask:
        pipeline = transformers.pipeline("text-classification", str(folder), dtype=torch.float32, truncation=True)
        return lambda asked: pipeline(asked.text)

    def draw() -> Ask:
        import diffusers

        diffusers.logging.disable_progress_bar()
        pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        return lambda asked: pipeline(asked.prompt, num_inference_steps=STEPS, guidance_scale=asked.guidance)

    ways = {"next-word": next_word, "generate": write, "chat": write, "sentiment": judge, "image": draw}
    return ways.get(task)


def timed(work: Callable[[int], Any], count: int) -> list[float]:
    """Seconds that `work` takes, each time."""
    seconds = []
    for number in range(count):
        start = time.perf_counter()
        work(number)
        seconds.append(time.perf_counter() - start)
    return seconds


def beside(task: names.Task, folder: Path | None, count: int) -> dict[str, list[float]]:
    """Seconds of the textbook way: `anew`, loaded for each question, and `pipeline`, loaded once; if it has one."""
    load = None if folder is None else textbook(task, folder)
    if load is None:
        return {}
    anew = timed(lambda number: load()(request(task, number)), count)
    kept = load()
    kept(request(task, 0))
    return {"anew": anew, "pipeline": timed(lambda number: kept(request(task, number)), count)}


def resident() -> float:
    """Kilobytes of memory that this process holds now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1000


def memory(models: dict[names.Task, str], count: int) -> list[float]:
    """Kilobytes after each of `count` questions, the tasks in turn."""
    tool = make_tool(*models.values())
    found = []
    with progress(count, "memory", unit="questions") as bar:
        for number in range(count):
            task = list(models)[number % len(models)]
            ask(tool, request(task, number, short=True), models[task])
            found.append(resident())
            bar.advance(1)
    return found


def slope(values: list[float]) -> float:
    """Of a straight line through the values, one step apart (least squares)."""
    return statistics.linear_regression(range(len(values)), values).slope


class Measured(NamedTuple):
    """Seconds of one task, and the operations of one of its answers."""

    pieces: list[float]
    whole: list[float]
    others: dict[str, list[float]]
    operations: int


def measure(task: names.Task, model: Model, count: int) -> Measured:
    """In a process in which nothing has been computed; the tool first."""
    from dl_architectures.nlp.catalogue import FOLDERS

    tool = make_tool(model.id)
    pieces, whole = warm(tool, task, model.id, count)
    folder = Path(model.id) if model.source == "folder" else FOLDERS.get(model.id)
    return Measured(pieces, whole, beside(task, folder, min(TEXTBOOK, count)), operations(tool, task, model.id))


def rows(chosen: dict[names.Task, Model], most: int, peak: float) -> Iterator[str]:
    """The table, a line for each task; `peak` is that of the machine, in operations per second."""
    heads = f"{'first':>10}{'piece':>10}{'median':>10}{'95 of 100':>11}{'anew':>10}{'pipeline':>10}{'of peak':>9}"
    yield f"{'':12}{heads}  milliseconds"
    for task, model in chosen.items():
        cold = in_new_process(first_answer, task, model.id)
        count = max(2, most // 10) if task in ("generate", "chat", "image") else most
        pieces, whole, others, flops = in_new_process(measure, task, model, count)
        anew, pipeline = (statistics.median(others[way]) if others else None for way in ("anew", "pipeline"))
        times = (cold, statistics.median(pieces) or None, statistics.median(whole),
                 statistics.quantiles(whole, n=20, method="inclusive")[-1], anew, pipeline)  # fmt: skip
        cells = "".join(
            f"{'-' if seconds is None else f'{1000 * seconds:,.1f}':>{width}}"
            for seconds, width in zip(times, (10, 10, 10, 11, 10, 10), strict=True)
        )
        share = flops / statistics.median(whole) / peak or None
        cells += f"{'-' if share is None else f'{share:.1%}':>9}"
        yield f"{task:12}{cells}  {count} answers, {model.title}"
        kinds = {"ours, warm": "ours", "anew": "textbook", "pipeline": "other"}
        for way, times_of_way in ({"ours, warm": whole} | others).items():
            rates = [1 / seconds for seconds in times_of_way]
            of_peak = share if way == "ours, warm" else None
            add_row("dl-nlp-tool", way, kinds[way], rates, "answers/s", case=task, of_peak=of_peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=get_args(names.Task), default=names.TASKS)
    parser.add_argument("--model", nargs="+", default=[], metavar="TASK=ID", help="a model for a task, or its folder")
    parser.add_argument("--answers", type=int, default=200, help="warm ones of each task, a tenth of writing ones")
    parser.add_argument("--requests", type=int, default=1000, help="over which memory is measured")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # read when torch is imported, which comes later
    given = dict(pair.split("=", 1) for pair in arguments.model)
    given = {task: str(Path(id).resolve()) if Path(id).is_dir() else id for task, id in given.items()}
    tool = make_tool(*given.values())
    chosen: dict[names.Task, Model] = {}
    for task in arguments.tasks:
        wanted = given.get(task, names.EMBEDDED[task])
        found = next((model for model in tool.models(task) if model.id == wanted and model.ready), None)
        if found is None:
            print(f"{task}: left out, as {wanted} is not on this machine")
        else:
            chosen[task] = found
    if not chosen:
        return
    print(f"threads: {arguments.threads}; torch {version('torch')}; {TOKENS} tokens a text, {STEPS} steps a picture")
    from torch_peak import matrix_peak

    peak = matrix_peak("fp32")
    add_machine("cpu", arguments.threads, ["torch", "transformers"], {"fp32": peak})
    for line in rows(chosen, arguments.answers, peak):
        print(line, flush=True)
    held = in_new_process(memory, {task: model.id for task, model in chosen.items()}, arguments.requests)
    half = len(held) // 2
    first, middle, last = (f"{held[n] / 1000:,.0f} MB" for n in (0, half, -1))
    print(f"memory over {len(held):,} questions: {first} after the first, {middle} half-way, {last} at the end")
    print(f"in the second half {100 * slope(held[half:]):+,.1f} kB per 100 questions")


if __name__ == "__main__":
    main()
