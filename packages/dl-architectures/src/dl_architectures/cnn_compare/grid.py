"""The grid: cells one after another, or several at a time, each finished once; then the page that compares them."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from dl_architectures.cnn_compare.board import Board
from dl_architectures.cnn_compare.cell import LAST, Stop, Stopped, load_network, train_cell
from dl_architectures.cnn_compare.config import FAILED, RESULT, Cell, Config
from dl_architectures.cnn_compare.data import load_data
from dl_architectures.devices import find_device
from dl_shared.errors import LostWorkerError
from dl_shared.files import fingerprint, write_text
from dl_shared.progress import say, silence
from dl_shared.runs import Run
from dl_shared.tasks import cifar10, cnn_comparison

PROJECT = "dl-cnn-compare"
Work = Callable[[int, Stop], None]
"""Called with the number of the worker, and with what tells whether to stop."""


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train all cells that are not finished, and write the page; returns the run directory.

    Raises:
        InputError: if data or device cannot be used.
        LostWorkerError: if a cell failed; the others are finished, and the page is of them.
    """
    find_device(config.device)
    with Run.start(
        PROJECT,
        config,
        task="cnn-comparison",
        framework="pytorch",
        primary="accuracy",
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        sets = {name: load_data(config, name) for name in config.datasets}
        record_data(run, sets)
        with run.stopping_gracefully(), Board(run.path, config.cells) as board:
            train_all(config, run, board)
            if run.stop_requested:
                run.interrupt()
        failed = [cell for cell in config.cells if (run.path / cell.folder / FAILED).exists()]
        folders = [run.path / cell.folder for cell in config.cells]
        cnn_comparison.report(run, sets, folders, first_filters(config, run.path))
        if failed:
            names = ", ".join(map(str, failed))
            raise LostWorkerError(f"{len(failed)} of {len(config.cells)} cells failed ({names}); see {FAILED} in each")
    return run.path


def first_filters(config: Config, run: Path) -> dict[str, dict[str, np.ndarray]]:
    """Filters of the first convolution of each network, by data set; of its first seed."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for cell in config.cells:
        if cell.seed == config.seed and (run / cell.folder / RESULT).exists():
            network = load_network(run / cell.folder, cell, torch.device("cpu"))[0]
            found.setdefault(cell.dataset, {})[cell.architecture] = network.first.weight.detach().numpy()
    return found


def record_data(run: Run, sets: dict[str, cifar10.Data]) -> None:
    """Write down what the cells learn from."""
    rows = {
        f"{name} {part}": len(getattr(data, part))
        for name, data in sets.items()
        for part in ("train", "validation", "test")
    }
    run.record_data(
        source="; ".join(data.source for data in sets.values()),
        fingerprint=fingerprint([data.fingerprint for data in sets.values()]),
        rows=rows,
        class_names={name: list(data.class_names) for name, data in sets.items()},
        quirks=[f"{name}: {quirk}" for name, data in sets.items() for quirk in data.quirks],
    )


def train_all(config: Config, run: Run, board: Board) -> None:
    """Every cell without a result; one that fails leaves its reason in its folder, and ends no other."""
    waiting = [cell for cell in config.cells if not (run.path / cell.folder / RESULT).exists()]
    for cell in set(config.cells).difference(waiting):  # one that was killed between its result and this
        (run.path / cell.folder / LAST).unlink(missing_ok=True)
    if config.jobs == 1:

        def stop() -> bool:
            board.update()
            return run.stop_requested

        for cell in waiting:
            if not stop():
                run_cell(config, cell, run.path, 0, stop)
        return
    with _workers(config) as (submit, ask_to_stop):
        pending = {submit(partial(run_cell, config, cell, run.path)) for cell in waiting}
        while pending:
            done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            board.update()
            if run.stop_requested:
                ask_to_stop()


def run_cell(config: Config, cell: Cell, run: Path, worker: int, stop: Stop) -> None:
    """Train one cell, on the device of this worker."""
    folder = run / cell.folder
    (folder / FAILED).unlink(missing_ok=True)
    threads = config.threads or max(1, (os.cpu_count() or 1) // config.jobs)
    device = find_device(config.device, threads=threads)
    if device.type == "cuda":
        device = torch.device("cuda", worker % torch.cuda.device_count())
    try:
        train_cell(config, cell, folder, _data(config, cell.dataset), device, stop)
    except Stopped:
        pass
    except OSError:
        raise  # a full disk is one for all cells
    except Exception as error:
        write_text(folder / FAILED, traceback.format_exc())
        say(f"{cell} failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")


@lru_cache(maxsize=3)
def _data(config: Config, dataset: str) -> cifar10.Data:
    with silence():
        return load_data(config, dataset)


@contextmanager
def _workers(config: Config) -> Iterator[tuple[Callable[[Work], Future[None]], Callable[[], None]]]:
    """Processes that train cells; what gives them work, and what asks them to stop."""
    context = multiprocessing.get_context("spawn")  # a forked process cannot use CUDA
    stop, numbers = context.Event(), context.Queue()
    for number in range(config.jobs):
        numbers.put(number)
    with ProcessPoolExecutor(config.jobs, context, _begin_worker, (stop, numbers)) as pool:
        yield lambda work: pool.submit(_in_worker, work), stop.set


_worker: dict[str, object] = {}


def _begin_worker(stop, numbers) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which asks the others to stop
    _worker.update(stop=stop, number=numbers.get())


def _in_worker(work: Work) -> None:
    if not _worker["stop"].is_set():  # type: ignore[attr-defined]
        work(_worker["number"], _worker["stop"].is_set)  # type: ignore[arg-type, attr-defined]
