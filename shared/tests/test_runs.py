"""The run directory: nothing half-written, nothing lost."""

import json
import re
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from dl_shared.config import TrainConfig
from dl_shared.errors import InputError, LostWorkerError
from dl_shared.files import atomic_path, fingerprint, read_json, write_json
from dl_shared.plots.style import figure
from dl_shared.processes import Follower, start_together
from dl_shared.progress import progress, say
from dl_shared.report import write_page
from dl_shared.runs import Run, find_run, read_config, read_history, read_summary
from dl_shared.signals import ignore_sigterm


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    data: str = "sample"
    epochs: int = 1
    batch_size: int = 2
    seed: int = 5
    layers: tuple[int, ...] = (1, 2)


def start(tmp_path, **keywords):
    return Run.start("toy", Config(), task="toy", framework="none", primary="loss", runs_dir=tmp_path, **keywords)


def test_a_run_leaves_what_the_design_promises(tmp_path):
    with start(tmp_path, higher_is_better=False) as run:
        run.log(step=1, epoch=0.5, split="train", loss=np.float32(0.25), accuracy=float("nan"))
        run.save_predictions(pd.DataFrame({"label": [1], "predicted": [2]}))
        run.save_figure(figure("A title")[0], "empty", caption="What to see & why")
    assert read_history(run.path) == [{"step": 1, "epoch": 0.5, "split": "train", "loss": 0.25, "accuracy": None}]
    summary = read_summary(run.path)
    assert (summary["status"], summary["seed"], summary["error"]) == ("finished", 5, None)
    assert summary["primary"] == {"name": "loss", "higher_is_better": False}
    assert summary["cost"]["peak_memory_bytes"] > 1e6
    assert json.loads((run.path / "config.json").read_text()) == {**asdict(Config()), "layers": [1, 2]}
    assert PIL.Image.open(run.path / "plots" / "empty.png").info["Description"] == "What to see & why"
    assert pd.read_parquet(run.path / "predictions.parquet").predicted.tolist() == [2]


def test_the_options_of_a_run_are_read_back_as_they_were(tmp_path):
    with start(tmp_path) as run:
        pass
    assert read_config(run.path, Config) == Config()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 2.5, "epochs is 2.5 (float is not an instance of int)"),
        ("layers", [1, "2"], "layers is (1, '2') (item 1 of tuple is not an instance of int)"),
        ("device", "gpx", "device is 'gpx' (str is not any of"),
        ("data", None, "data is None (None is not an instance of str)"),
        ("epochs", 0, "epochs must be at least 1"),
        ("colour", "red", "it does not have the options of"),
    ],
)
def test_options_that_no_run_can_have_been_given_are_refused_by_name(tmp_path, name, value, said):
    with start(tmp_path) as run:
        pass
    write_json(run.path / "config.json", {**read_json(run.path / "config.json"), name: value})
    with pytest.raises(InputError, match=re.escape(f"config.json cannot be used: {said}")):
        read_config(run.path, Config)


@dataclass(frozen=True, kw_only=True)
class ConfigWithFolder(Config):
    folder: str = "."

    def __post_init__(self):
        super().__post_init__()
        Path(self.folder).stat()


def test_a_path_too_long_to_look_up_is_no_option_of_a_run(tmp_path):
    options = asdict(ConfigWithFolder())
    write_json(tmp_path / "config.json", options)
    assert read_config(tmp_path, ConfigWithFolder).folder == "."
    write_json(tmp_path / "config.json", options | {"folder": "long" * 100})
    with pytest.raises(InputError, match=r"cannot be used: .*File name too long"):
        read_config(tmp_path, ConfigWithFolder)


def test_a_number_that_no_computer_counts_with_is_damage(tmp_path):
    (tmp_path / "config.json").write_text('{"epochs": 1%s}' % ("0" * 400))
    with pytest.raises(InputError, match="has more than 64 bits"):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").write_text(f'{{"seed": {2**64 - 1}, "least": {-(2**63)}}}')
    assert read_json(tmp_path / "config.json") == {"seed": 2**64 - 1, "least": -(2**63)}


def test_a_failed_run_says_why_and_can_be_resumed(tmp_path):
    with pytest.raises(RuntimeError), start(tmp_path) as run:
        raise RuntimeError("lost")
    assert read_summary(run.path)["status"] == "failed"
    assert read_summary(run.path)["error"] == "RuntimeError: lost"
    with start(tmp_path, resume=run.path) as again:
        assert again.resumed
    assert read_summary(run.path)["status"] == "finished"
    assert read_summary(run.path)["error"] is None


def test_a_run_that_is_ending_for_a_lost_process_is_not_ended_by_the_launcher_before_it_has_said_so(tmp_path):
    received = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with pytest.raises(LostWorkerError) as caught:
            lose_a_process(tmp_path)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, previous)
    run = find_run("last", tmp_path, "toy")
    assert not received
    assert read_summary(run)["status"] == "failed"
    assert caught.value.__notes__ == [f"resume with: toy train --resume {run}"]


def lose_a_process(runs):
    with start(runs) as run, run.stopping_gracefully():
        ignore_sigterm()
        raise LostWorkerError


def test_what_a_killed_process_was_writing_is_gone_once_the_run_is_resumed(tmp_path):
    with pytest.raises(KeyboardInterrupt), start(tmp_path) as run:
        raise KeyboardInterrupt
    litter = [run.path / name for name in (".summary.0123abcd.json", "checkpoints/.last.89abcdef.safetensors")]
    kept = [run.path / name for name in (".note", "plots/.hidden.png", "checkpoints/last.89abcdef.ckpt")]
    for file in (*litter, *kept):
        file.parent.mkdir(exist_ok=True)
        file.write_text("half")
    with start(tmp_path, resume=run.path):
        pass
    assert not any(file.exists() for file in litter)
    assert all(file.exists() for file in kept)


def test_a_run_is_finished_only_once_its_page_says_so(tmp_path, monkeypatch):
    """A kill between the two leaves a run that can be resumed."""
    pages = []
    with start(tmp_path) as run:
        page = write_page(run.path)
        monkeypatch.setattr(run, "_write_summary", lambda: pages.append(page.read_text()))
    assert len(pages) == 1
    assert 'class="badge finished"' in pages[0]


def test_the_last_run_is_the_last_of_its_verb(tmp_path):
    with start(tmp_path) as first:
        pass
    write_json(first.path / "summary.json", {**read_summary(first.path), "verb": "pretrain"})
    assert find_run("last", tmp_path, "toy") == find_run("last", tmp_path, "toy", "pretrain") == first.path
    with pytest.raises(InputError, match="no run of toy"):
        find_run("last", tmp_path, "toy", "train")


def test_rewind_forgets_only_later_rows_and_a_line_cut_short(tmp_path):
    with start(tmp_path) as run:
        for step in (1, 2, 3):
            run.log(step=step, epoch=step, split="train", loss=step)
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 4, "epo')
        run.rewind(2)
        assert [row["step"] for row in run.history()] == [1, 2]
        run.log(step=3, epoch=3, split="train", loss=9.0)
        assert [row["loss"] for row in run.history()] == [1, 2, 9]


def test_a_damaged_line_inside_the_history_is_named(tmp_path):
    with start(tmp_path) as run:
        (run.path / "metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n')
        with pytest.raises(InputError, match="line 2"):
            run.history()


def test_atomic_path_keeps_the_old_file_when_writing_fails(tmp_path):
    target = tmp_path / "file.json"
    write_json(target, {"old": True})
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text(f"half of the n{1 / 0}")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(target, {"loss": float("nan")})
    assert read_json(target) == {"old": True}
    assert list(tmp_path.iterdir()) == [target]


def test_fingerprints_differ_by_value_shape_type_and_order():
    a = np.arange(6, dtype=np.int32)
    same = fingerprint(a, ["x", "yz"])
    assert same == fingerprint(np.arange(12, dtype=np.int32)[:6], ("x", "yz"))
    others = [
        (a[::-1], ["x", "yz"]),
        (a.reshape(2, 3), ["x", "yz"]),
        (a.astype(np.int64), ["x", "yz"]),
        (a, ["xy", "z"]),
    ]
    assert len({same, *(fingerprint(*parts) for parts in others)}) == 5


def test_a_run_resumed_on_other_data_is_refused(tmp_path):
    run = start(tmp_path)
    run.record_data(source="a file", fingerprint="one", rows={"train": 3})
    with pytest.raises(KeyboardInterrupt), run:
        run.interrupt()
    with pytest.raises(InputError, match="not what this run was started on"), start(tmp_path, resume=run.path) as again:
        again.record_data(source="a file", fingerprint="other", rows={"train": 3})
    with start(tmp_path, resume=run.path) as resumed:
        resumed.record_data(source="a file", fingerprint="one", rows={"train": 3}, classes=2)
    assert resumed.summary["data"] == {"source": "a file", "fingerprint": "one", "rows": {"train": 3}, "classes": 2}


def test_the_first_of_several_processes_tells_the_others_its_run_or_that_there_is_none(tmp_path):
    told = []

    def join(first, **options):
        options = {"task": "t", "framework": "f", "primary": "accuracy", "runs_dir": tmp_path, **options}
        tell = (lambda text: told.append(text) or text) if first else (lambda text: told[-1])
        return start_together("some-project", Config(), is_first=first, from_first=tell, **options)

    with join(True) as run, join(False) as follower:
        assert (follower.path, follower.follows, run.follows) == (run.path, True, False)
    for first, reason in ((True, "nowhere"), (False, "the first process could not start the run")):
        with pytest.raises(InputError, match=reason):
            join(first, resume="nowhere")


def test_a_follower_writes_and_says_nothing(tmp_path, capsys):
    with start(tmp_path) as run:
        before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
        with Follower(run.path, resumed=False) as follower:
            assert follower.follows
            assert not run.follows
            follower.log(step=1, epoch=1, split="train", loss=1.0)
            follower.rewind(0)
            follower.update("cost", train_seconds=1.0)
            follower.save_figure(figure("nothing")[0], "nothing", caption="")
            follower.save_predictions(pd.DataFrame({"a": [1]}))
            say("as the first process does")
            with progress(2, "training") as bar:
                bar.advance(1)
        assert capsys.readouterr() == ("", "")
        say("on my own")
        assert capsys.readouterr().err == "on my own\n"
        assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before
