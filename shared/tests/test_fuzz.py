"""The fuzzer finds what is planted, blames nothing sound, and makes the same input again by its number."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
import fuzz
import planted_formats
from fuzzing.formats import MODULES, formats_of
from fuzzing.report import Row
from fuzzing.worker import Outcome


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Runs the fuzzer on the planted formats; gives exit status and the folder of what was found."""
    folder = tmp_path_factory.mktemp("fuzz")

    def run(*arguments):
        arguments = [*arguments, "--folder", str(folder), "--jobs", "1"]
        return fuzz.main(arguments, modules=["planted_formats"], patience=3.0), folder

    return run


@pytest.fixture(scope="module")
def found(planted):
    status, folder = planted("--inputs", "300")
    assert status == 1
    return folder


def test_every_planted_defect_is_found_and_what_is_sound_is_not_blamed(found):
    rows = {row["format"]: row for row in json.loads((found / "table.json").read_text())["rows"]}
    assert {name for name, row in rows.items() if row["findings"]} == {"all", *planted_formats.DEFECTS} - {"sound"}
    assert rows["all"]["inputs"] == 300
    assert rows["sound"]["accepted"] > 10
    assert rows["sound"]["refused"] > 5
    assert rows["memory"]["memory MiB"] > 90
    assert "| sound | 70 |" in (found / "table.md").read_text()


@pytest.mark.parametrize("defect", sorted({*planted_formats.DEFECTS} - {"sound"}))
def test_a_finding_says_how_to_make_it_again_and_its_input_is_kept(found, planted, capsys, defect):
    folder = next((found / "findings").glob(f"{defect}-*"))
    command = (folder / "finding.txt").read_text().splitlines()[0]
    assert command.startswith(f'nox -s "fuzz(shared)" -- --only "{defect}" --number ')
    number = int(command.rpartition(" ")[2])
    (again,) = (format_ for format_ in planted_formats.FORMATS if format_.name == defect)
    assert again.make(number)[1] == {"a.bin": (folder / "input" / "a.bin").read_bytes()}
    assert planted("--only", defect, "--number", str(number))[0] == 1
    assert f"{defect} {number}: {defect}" in capsys.readouterr().out


def test_nothing_found_is_status_0(planted):
    assert planted("--only", "sound", "--inputs", "20")[0] == 0


def test_the_numbers_of_an_input_decide_it_whatever_was_drawn_before():
    formats = formats_of(MODULES["shared"])
    for name in ("prices", "corpus", "images-folders", "options of scripts", "run-page"):
        later = formats[name].make(120)
        for number in (0, 119):
            formats[name].make(number)
        assert formats[name].make(120) == later
        assert formats[name].make(121) != later, "other numbers are other inputs"


def test_memory_beside_a_large_input_is_told_as_a_ratio():
    row = Row("prices")
    row.add(Outcome(0, "accepted", extra=10 << 20, decoded=100))
    assert row.as_json()["memory ratio"] is None, "of a small one, the allocator says nothing"
    row.add(Outcome(1, "accepted", extra=12 << 20, decoded=8 << 20))
    assert row.as_json()["memory ratio"] == 1.5


def test_the_loaders_of_tables_bear_their_first_inputs(tmp_path, capsys):
    assert fuzz.main(["--inputs", "200", "--folder", str(tmp_path), "--jobs", "1"], modules=["fuzzing.of_tables"]) == 0
    assert " inputs in " in capsys.readouterr().out
