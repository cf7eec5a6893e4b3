"""Searches: found optima, exact counts with several workers, kills, refusals, pictures."""

import contextlib
import dataclasses
import json
import math
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dl_shared.cli import Verb, console_script
from dl_shared.config import TrainConfig
from dl_shared.errors import InputError
from dl_shared.tuning import Choice, Float, Int, Space, TuneOptions, results, tune

draw = results._draw


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    epochs: int = 3
    batch_size: int = 8
    learning_rate: float = 1e-3
    layers: int = 1
    cell: str = "lstm"

    def __post_init__(self):
        super().__post_init__()
        if self.cell == "gru" and self.layers == 4:
            raise ValueError("a GRU has at most 3 layers")


SPACE: Space = {"learning_rate": Float(1e-5, 1.0, log=True), "layers": Int(1, 4), "cell": Choice(("lstm", "gru"))}


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch):
    """Pictures take longer than these searches; the tests of pictures bring `_draw` back."""
    monkeypatch.setattr(results, "_draw", lambda *arguments: None)


def bowl(config, report):
    """Least, 0.1, at a learning rate of 0.01 with two layers of GRU; each epoch halves what is left above it."""
    value = (math.log10(config.learning_rate) + 2) ** 2 + abs(config.layers - 2) + (config.cell == "lstm") + 0.1
    for epoch in range(config.epochs):
        report(value + 2.0**-epoch, step=epoch)
    return value


def waits_for_the_other(config, report):
    """Scores only once two processes are at work, so that neither can do everything alone."""
    folder = Path(os.environ["MEETING"])
    (folder / str(os.getpid())).touch()
    _wait_until(lambda: len(list(folder.iterdir())) == 2)
    return bowl(config, report)


def search(folder, objective=bowl, *, base=None, space=SPACE, direction="minimize", **options):
    return tune(
        "flax-stocks",
        base or Config(),
        space,
        objective,
        direction=direction,
        metric="loss",
        options=TuneOptions(runs_dir=folder, **options),
    )


def choices(found):
    """What was tried and what came out, without numbers, times and the trials that died."""
    trials = found.trials
    return trials[trials["state"] != "failed"][["value", "state", *SPACE]].reset_index(drop=True)


def test_a_search_finds_the_best_options_and_keeps_the_others(tmp_path):
    found = search(tmp_path, trials=24, base=Config(seed=3, batch_size=16))
    assert found.best_value < 0.3
    assert found.best_config.cell == "gru"
    assert found.best_config.layers == 2
    assert found.best_config.batch_size == 16
    assert found.best_config == dataclasses.replace(found.best_config)
    assert found.best_value == pytest.approx(bowl(found.best_config, lambda value, step: None))
    assert len(found.trials) == 24
    refused = found.trials[(found.trials["cell"] == "gru") & (found.trials["layers"] == 4)]
    assert set(refused["reason"]) <= {"a GRU has at most 3 layers"}
    assert (found.trials["state"] == "pruned").sum() > len(refused), "the pruner gave some up"
    assert found.summary()["best"] == {name: getattr(found.best_config, name) for name in SPACE}


def test_results_are_written_as_tables_and_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_draw", draw)
    found = search(tmp_path, trials=15)
    assert found.folder == tmp_path / "flax-stocks" / "tuning" / "default"
    written = pd.read_csv(found.folder / "trials.csv")
    pd.testing.assert_frame_equal(written, found.trials, check_dtype=False)
    study = json.loads((found.folder / "study.json").read_text())
    assert study["best_value"] == found.best_value
    assert study["best_config"]["learning_rate"] == found.best_config.learning_rate
    assert [trial["number"] for trial in study["trials"]] == list(range(15))
    for name in ("history", "slices", "parallel", "importance"):
        with Image.open(found.folder / "plots" / f"{name}.png") as image:
            assert image.info["Description"]
            assert len(image.convert("L").getcolors()) > 20, "something is drawn"


def test_maximize_looks_the_other_way(tmp_path):
    found = search(tmp_path, lambda config, report: config.layers, direction="maximize", trials=8, pruner="none")
    assert found.best_value == found.trials["value"].max()
    assert found.best_value > found.trials["value"].min()


def test_scores_that_are_not_finite_are_pruned_not_failed(tmp_path):
    def diverges(config, report):
        if config.layers == 2:
            report(math.nan, step=0)
        return math.inf if config.layers == 3 else 1.0

    found = search(tmp_path, diverges, trials=12, space={"layers": Int(1, 4)})
    assert set(found.trials.loc[found.trials["layers"] == 2, "reason"]) == {"the score is nan at step 0"}
    assert set(found.trials.loc[found.trials["layers"] == 3, "reason"]) == {"the score is inf"}
    assert set(found.trials["state"]) == {"complete", "pruned"}


def test_the_seed_fixes_a_search_and_its_continuation(tmp_path):
    whole = search(tmp_path / "whole", trials=12)
    search(tmp_path / "parts", trials=5)
    continued = search(tmp_path / "parts", trials=12)
    pd.testing.assert_frame_equal(choices(continued), choices(whole))
    again = search(tmp_path / "parts", trials=10)
    assert len(again.trials) == 12, "a study that has its trials is left as it is"
    other = search(tmp_path / "other", trials=2, base=Config(seed=1))
    assert not set(choices(other)["learning_rate"]) & set(choices(whole)["learning_rate"])
    assert whole.trials["learning_rate"].nunique() == 12, "each trial draws numbers of its own"


def test_a_crash_of_the_objective_is_retried_with_the_same_options(tmp_path):
    whole = search(tmp_path / "whole", trials=13)
    calls = []

    def crashes_once(config, report):
        calls.append(config)
        if len(calls) == 12:
            raise RuntimeError("out of memory")
        return bowl(config, report)

    with pytest.raises(RuntimeError, match="out of memory"):
        search(tmp_path / "crash", crashes_once, trials=13)
    found = search(tmp_path / "crash", crashes_once, trials=13)
    assert calls[12] == calls[11]
    assert (found.trials["state"] == "failed").sum() == 1
    pd.testing.assert_frame_equal(choices(found), choices(whole))


def test_two_workers_share_one_study(tmp_path, monkeypatch):
    (meeting := tmp_path / "meeting").mkdir()
    monkeypatch.setenv("MEETING", str(meeting))
    found = search(tmp_path, waits_for_the_other, trials=8, workers=2, pruner="none")
    assert len(found.trials) == 8
    assert set(found.trials["state"]) <= {"complete", "pruned"}
    assert found.trials["learning_rate"].nunique() == 8
    study = _storage(tmp_path)
    signatures = {trial.user_attrs["worker"] for trial in study.trials if "surplus" not in trial.user_attrs}
    assert len(signatures) == 2, "both took part"
    assert sorted(t.user_attrs["slot"] for t in study.trials if "slot" in t.user_attrs) == list(range(8))


@pytest.mark.slow
def test_a_worker_that_refuses_the_input_stops_the_search_in_one_line(tmp_path):
    with pytest.raises(InputError, match="prices are missing"):
        search(tmp_path, no_prices, trials=4, workers=2)


def no_prices(config, report):
    raise InputError("the prices are missing")


@pytest.mark.parametrize("kill_at", [pytest.param(3, marks=pytest.mark.slow), 11])
def test_a_search_killed_by_sigkill_goes_on_as_if_never_stopped(tmp_path, kill_at):
    """Trials from 10 on are chosen by the model of earlier scores, those before at random."""
    whole = search(tmp_path / "whole", trials=13)
    killed = _kill_during_trial(tmp_path, kill_at)
    before = [trial.number for trial in _storage(tmp_path / "killed").trials if trial.state.is_finished()]
    assert before == list(range(killed))
    found = search(tmp_path / "killed", trials=13)
    assert list(found.trials["state"]).count("failed") == 1
    assert found.trials["state"][killed] == "failed"
    pd.testing.assert_frame_equal(choices(found), choices(whole))


def _kill_during_trial(tmp_path, kill_at):
    """Start a search in a process of its own and SIGKILL it in the middle of trial `kill_at`, or the next that runs."""
    sign = tmp_path / "reached"
    code = (
        "import sys, time, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "import test_tuning as t\n"
        "def objective(config, report):\n"
        "    if report.number >= int(sys.argv[3]):\n"
        "        pathlib.Path(sys.argv[4]).write_text(f'{report.number}.'); time.sleep(600)\n"
        "    return t.bowl(config, report)\n"
        "t.search(pathlib.Path(sys.argv[2]), objective, trials=13)\n"
    )
    arguments = [str(Path(__file__).parent), str(tmp_path / "killed"), str(kill_at), str(sign)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    try:
        _wait_until(lambda: process.poll() is not None or (sign.exists() and sign.read_text().endswith(".")))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return int(sign.read_text().rstrip("."))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_killed_again_and_again_ends_complete(tmp_path, workers):
    """SIGKILL at random moments; one process then gives the trials of a search never stopped, two the exact number."""
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "import test_tuning as t\n"
        "t.search(pathlib.Path(sys.argv[2]), trials=20)\n"
    )
    delays = np.random.default_rng(workers).uniform(0, 0.8, size=6)
    for number, delay in enumerate(delays):
        arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "killed")]
        processes = [subprocess.Popen(arguments) for _ in range(workers)]
        _wait_until(lambda least=number: _number_of_trials(tmp_path / "killed") > least)
        time.sleep(delay)
        for process in processes:
            process.kill()
            process.wait()
    found = search(tmp_path / "killed", trials=20)
    kept = choices(found)
    assert len(kept) == 20
    assert set(kept["state"]) <= {"complete", "pruned"}
    if workers == 1:
        pd.testing.assert_frame_equal(kept, choices(search(tmp_path / "whole", trials=20)))


def _number_of_trials(folder):
    database = folder / "flax-stocks" / "tuning" / "studies.db"
    if not database.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return connection.execute("select count(*) from trials").fetchone()[0]
    except sqlite3.OperationalError:  # its tables are being made
        return 0


@pytest.mark.slow
def test_a_worker_joins_while_another_is_killed(tmp_path):
    """The lock of a living worker protects its trial; that of a dead one does not."""
    context = multiprocessing.get_context("spawn")
    gate = tmp_path / "gate"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATE", str(gate))
        sleeper = context.Process(target=search, args=(tmp_path, waits_at_the_gate), kwargs={"trials": 6})
        sleeper.start()
    try:
        _wait_until(gate.exists)
        found = search(tmp_path, trials=6)
        assert list(found.trials["state"]).count("running") == 1, "still at work: not taken for dead"
        assert list(found.trials["state"]).count("failed") == 0
    finally:
        sleeper.kill()
        sleeper.join()
    found = search(tmp_path, trials=6)
    assert sorted(found.trials["state"]).count("failed") == 1
    assert len(choices(found)) == 6


def waits_at_the_gate(config, report):
    Path(os.environ["GATE"]).touch()
    time.sleep(600)


def _wait_until(condition):
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def _storage(folder):
    import optuna

    url = f"sqlite:///{folder / 'flax-stocks' / 'tuning' / 'studies.db'}"
    return optuna.load_study(study_name="default", storage=url)


def test_another_search_of_that_name_is_refused_in_one_line(tmp_path):
    search(tmp_path, trials=2)
    for change, message in (
        ({"space": {**SPACE, "layers": Int(1, 9)}}, r"another search space \(layers\)"),
        ({"space": {"layers": Int(1, 4)}}, r"another search space \(cell, learning_rate\)"),
        ({"base": Config(epochs=7)}, r"other options \(epochs\)"),
        ({"direction": "maximize"}, "is to minimize"),
        ({"storage": "nonsense"}, "give a URL"),
        ({"storage": "sqlite:////does/not/exist.db"}, "cannot be used"),
        ({"storage": "mysql+nodriver://me:secret@db/x"}, r"mysql\+nodriver://me:\*\*\*@db/x cannot be used"),
    ):
        with pytest.raises(InputError, match=message) as refused:
            search(tmp_path, trials=4, **change)
        assert "\n" not in str(refused.value)
        assert "secret" not in str(refused.value)
    assert len(search(tmp_path, trials=2).trials) == 2, "nothing was lost or added"
    assert len(search(tmp_path, trials=1, study="mine").trials) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("DELETE FROM study_directions", "cannot be used"),
        ("UPDATE study_user_attributes SET value_json = '\"x\"'", "what cannot be read"),
        ("UPDATE trials SET state = 'SLEEPING'", "cannot be used"),
        ("UPDATE trial_values SET value = 'much' WHERE trial_id = 2", "trial 1 of study 'default' is damaged"),
        ("UPDATE trial_params SET param_name = 'mood' WHERE param_id = 1", "trial 0 of study 'default' is damaged"),
        ("UPDATE trial_params SET distribution_json = '{}'", "cannot be used"),
    ],
)
def test_a_study_whose_tables_are_damaged_is_refused_in_one_line(tmp_path, damage, message):
    search(tmp_path, trials=2)
    with contextlib.closing(sqlite3.connect(tmp_path / "flax-stocks" / "tuning" / "studies.db")) as database:
        database.execute(damage)
        database.commit()
    with pytest.raises(InputError, match=message) as refused:
        search(tmp_path, trials=3)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "x.db").write_text("not a database " * 100)
    with pytest.raises(InputError, match="not a database"):
        search(tmp_path, trials=2, storage=f"sqlite:///{tmp_path / 'x.db'}")


def test_nothing_complete_is_no_error(tmp_path):
    found = search(tmp_path, lambda config, report: math.nan, trials=2)
    assert found.best_config is None
    assert found.summary()["trials"] == {"pruned": 2}


def test_time_is_up_before_the_trials_are(tmp_path):
    found = search(tmp_path, trials=10_000, timeout=0.2)
    assert 1 <= len(found.trials) < 1000


@pytest.mark.parametrize(
    "make",
    [
        lambda: Float(1.0, 1.0),
        lambda: Int(0, 8, log=True),
        lambda: Choice(("one", "one")),
        lambda: TuneOptions(trials=0),
        lambda: TuneOptions(workers=0),
        lambda: TuneOptions(timeout=0.0),
        lambda: TuneOptions(study="../up"),
        lambda: tune("p", Config(), {"width": Int(1, 2)}, bowl, direction="minimize"),
        lambda: tune("p", Config(), {}, bowl, direction="minimize"),
    ],
)
def test_bad_values_are_refused_at_the_door(make):
    with pytest.raises(ValueError):
        make()


@dataclass(frozen=True, kw_only=True)
class Options(TuneOptions):
    """What a project's `tune` verb takes: the search's options and its own."""

    config: Config = Config()


def tune_verb(options):
    return tune("flax-stocks", options.config, SPACE, bowl, direction="minimize", options=options).summary()


def test_a_tune_verb_is_a_few_lines(tmp_path, capsys):
    verb = Verb(name="tune", help="Search.", function=f"{__name__}:tune_verb", options=Options)
    main = console_script("flax-stocks", "Forecasts.", verb)
    shared = ["tune", "--runs-dir", str(tmp_path), "--json"]
    assert main([*shared, "--trials", "6", "--config.epochs", "2"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["best_value"] > 0
    assert set(answer["best"]) == set(SPACE)
    assert main([*shared, "--trials", "8", "--config.epochs", "3"]) == 2
    assert "made for other options (epochs)" in capsys.readouterr().err
    assert main([*shared, "--trials", "0"]) == 2
    assert "trials must be at least 1" in capsys.readouterr().err


def test_importing_the_options_imports_no_optuna():
    code = "import sys, dl_shared.tuning; sys.exit(any(m in sys.modules for m in ('optuna', 'matplotlib', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
