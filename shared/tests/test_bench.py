"""The benchmarks of all packages: one table of what was measured, whatever fails, and what changed since another."""

import json
import sys

import pytest
from fake_environments import ROOT, load_tool, make_programs
from PIL import Image

PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
REPORTING = f"""
import sys
sys.path.insert(0, {str(ROOT / "benchmarks")!r})
from rows import add_machine, add_row
"""
GOOD = """
assert sys.argv[1:] in ([], ["--steps", "1"])
add_machine("cpu", 2, ["numpy"], {"fp32": 200e9, "bf16": 900e9})
add_row("good-project", "our loop", "ours", [OURS - 10, OURS, OURS + 10], "images/s", precision="bf16", of_peak=0.25)
add_row("good-project", "textbook loop", "textbook", [99.0, 100.0, 101.0], "images/s")
add_row("good-project", "a variant", "other", [55.0], "images/s")
print("done")
"""
BAD = """
add_row("bad-project", "our loop", "ours", [5.0, 6.0, 7.0], "reviews/s", case="short")
print("compiling")
sys.exit("error: the disk is full")
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """`nox -s bench` with three benchmarks of our own, of which the first does well at the rate that is given."""
    module = load_tool("bench", monkeypatch)
    made = [("sound", "bad"), ("sound", "good"), ("broken", "lost")]
    benchmarks = [module.Benchmark(package, name, f"{name}-project", "--steps 1") for package, name in made]
    monkeypatch.setattr(module, "BENCHMARKS", benchmarks)
    monkeypatch.chdir(tmp_path)
    programs = make_programs(tmp_path / "programs", {"python": PYTHON})
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "bad.py").write_text(REPORTING + BAD)

    def run(*arguments, ours=300.0, good=GOOD):
        (tmp_path / "benchmarks" / "good.py").write_text(f"OURS = {ours}{REPORTING}{good}")
        for old in tmp_path.glob("bench/*.*"):
            old.unlink()
        status = module.main([*arguments, "--nox", str(programs / "nox")])
        return status, next(iter(tmp_path.glob("bench/*.json")), None)

    return run


def line(text, *words):
    """The line of a text that has all these words, with one space between any two."""
    [found] = [line for line in text.splitlines() if all(word in line for word in words)]
    return " ".join(found.split())


def test_a_failure_ends_no_other_benchmark_and_what_was_measured_stands_in_one_table(bench, capsys):
    status, path = bench()
    said = capsys.readouterr().out
    assert status == 1
    assert "bad failed: status 1, error: the disk is full" in said
    assert "lost failed: the environment of broken could not be built: no wheel for this machine" in said
    assert line(said, "good-project", "our loop").endswith("300 images/s ± 2 % 25.0 % 3.00")
    assert line(said, "good-project", "textbook loop").endswith("1.00")
    assert line(said, "good-project", "a variant").split()[-4:] == ["fp32", "55", "images/s", "0.55"]
    assert line(said, "bad-project", "short: our loop").endswith("6 reviews/s ± 8 %")
    assert "good: cpu, threads: 2; python" in said
    assert "peak in GFLOP/s: fp32 200, bf16 900" in said
    markdown = path.with_suffix(".md").read_text()
    assert "| good-project | our loop | bf16 | 300 images/s | ± 2 % | 25.0 % | 3.00 |" in markdown
    assert Image.open(path.with_suffix(".png")).size[0] > 1000


def test_the_file_says_what_was_run_and_all_that_the_table_shows(bench):
    _, path = bench("--quick", "good-project")
    found = json.loads(path.read_text())
    assert (found["format"], found["version"]) == ("dl-bench", 1)
    assert found["machine"]["cores"] >= 1
    assert list(found["benchmarks"]) == ["good"]
    measured = found["benchmarks"]["good"]
    assert (measured["package"], measured["options"], measured["trouble"]) == ("sound", ["--steps", "1"], "")
    assert measured["peaks"] == {"fp32": 200e9, "bf16": 900e9}
    assert set(measured["versions"]) == {"python", "numpy"}
    row = found["rows"][0]
    assert (row["rate"], row["low"], row["high"], row["repeats"]) == (300, 295, 305, 3)
    assert (row["project"], row["loop"], row["kind"], row["precision"]) == ("good-project", "our loop", "ours", "bf16")


def test_a_slower_loop_is_found_and_one_within_the_noise_is_not(bench, tmp_path, capsys):
    old = tmp_path / "old.json"
    bench("good-project")[1].rename(old)
    for rate, end in ((200.0, "-33.3 % SLOWER"), (450.0, "+50.0 % FASTER"), (301.0, "+0.3 %")):
        capsys.readouterr()
        bench("good-project", "--compare", str(old), ours=rate)
        said = capsys.readouterr().out
        assert line(said, "our loop", "300 images/s").endswith(end)
        assert line(said, "textbook loop", "+0.0").endswith("+0.0 %")
        assert line(said, "a variant", "+0.0").endswith("+0.0 % not repeated")


def test_slower_than_before_is_no_finding_while_the_repeats_overlap(bench, tmp_path, capsys):
    wide = GOOD.replace("OURS - 10, OURS, OURS + 10", "OURS - 90, OURS, OURS + 90")
    old = tmp_path / "old.json"
    bench("good-project", good=wide)[1].rename(old)
    capsys.readouterr()
    bench("good-project", "--compare", str(old), ours=280.0, good=wide)
    assert line(capsys.readouterr().out, "our loop", "300 images/s").endswith("-6.7 %")


def test_what_appeared_vanished_or_ran_otherwise_is_told(bench, tmp_path, capsys):
    old = tmp_path / "old.json"
    bench("good-project", "bad-project")[1].rename(old)
    changed = GOOD.replace('"a variant"', '"another variant"').replace("200e9", "100e9").replace('"cpu", 2', '"cpu", 1')
    capsys.readouterr()
    _, path = bench("good-project", "--quick", "--compare", str(old), ours=200.0, good=changed)
    said = capsys.readouterr().out
    assert line(said, "a variant", "gone")
    assert line(said, "another variant", "new")
    assert "bad-project" not in said, "it was not run now"
    assert line(said, "our loop", "300 images/s").endswith("other options")
    assert "good: options `` -> `--steps 1`" in said
    assert "good: threads 2 -> 1" in said
    assert "good: peak in fp32 200 -> 100 GFLOP/s" in said
    assert "bf16 900 ->" not in said
    assert "| other options |" in path.with_suffix(".md").read_text()


def damage(found, *path, value=None):
    *parents, last = path
    for key in parents:
        found = found[key]
    if value is None:
        del found[last]
    else:
        found[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"),
        (("version",), 2),
        (("machine", "cpu"), None),
        (("rows", 0, "rate"), "fast"),
        (("rows", 0, "rate"), 0),
        (("rows", 0, "low"), float("nan")),
        (("rows", 1, "loop"), ["a"]),
        (("rows",), 5),
        (("benchmarks", "good", "peaks", "fp32"), "much"),
        (("benchmarks", "good"), []),
    ],
    ids=str,
)
def test_a_damaged_result_is_told_in_one_line_before_anything_runs(bench, tmp_path, capsys, path, value):
    old = tmp_path / "old.json"
    found = json.loads(bench("good-project")[1].read_text())
    damage(found, *path, value=value)
    old.write_text(json.dumps(found))
    capsys.readouterr()
    status, written = bench("good-project", "--compare", str(old))
    said = capsys.readouterr()
    assert (status, said.out, written) == (2, "", None)
    assert said.err.startswith("error: ")
    assert str(old) in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("text", [None, "", "{", "[]", "\x00"])
def test_what_is_no_result_is_told_in_one_line(bench, tmp_path, capsys, text):
    old = tmp_path / "old.json"
    if text is not None:
        old.write_text(text)
    assert bench("--compare", str(old)) == (2, None)
    assert capsys.readouterr().err.count("\n") == 1


def test_a_name_that_is_not_there_is_told_with_those_that_are(bench, capsys):
    assert bench("good-projekt") == (2, None)
    said = capsys.readouterr().err
    assert said == "error: there is no good-projekt; there are sound, bad-project, good-project, broken, lost-project\n"


def test_a_benchmark_that_measures_nothing_has_not_ended_well(bench, capsys):
    status, path = bench("good-project", good='print("left out, as its model is not on this machine")')
    assert (status, path) == (1, None)
    assert "good failed: it measured no loop: left out, as its model is not" in capsys.readouterr().out


def test_every_project_is_measured_by_scripts_that_are_there_and_know_their_options(monkeypatch):
    benchmarks = load_tool("bench", monkeypatch).BENCHMARKS
    scripts = {path.stem: path.read_text() for path in (ROOT / "benchmarks").glob("*.py")}
    for found in benchmarks:
        options = [word for word in found.quick.split() if word.startswith("--")]
        assert options
        assert all(f'"{option}"' in scripts[found.script] for option in options), found
        assert f'"{found.project}"' in scripts[found.script]
    measuring = {name for name, text in scripts.items() if "add_row(" in text} - {"rows"}
    assert measuring == {found.script for found in benchmarks}
    configured = [path.read_text() for path in ROOT.glob("packages/*/pyproject.toml")]
    assert all(any(f"\n{found.project} = " in text for text in configured) for found in benchmarks)
    assert len({found.project for found in benchmarks}) == 15
