"""The pages: what stands on them, what they survive, and that nothing in a run can inject markup."""

import json
import re

import pytest
from report_runs import Config, Page, add_picture, make_run, make_unfinished

from dl_shared.errors import InputError
from dl_shared.files import write_json
from dl_shared.report import write_comparison, write_page
from dl_shared.report.cli import main
from dl_shared.report.page import scale
from dl_shared.report.record import read_record
from dl_shared.report.render import moment, score, seconds, size, words
from dl_shared.runs import Run


def test_a_page_shows_the_figures_pictures_tables_and_costs(tmp_path):
    run = make_run(tmp_path)
    add_picture(run, "confusion", "Which class is taken for which.")
    add_picture(run, "curves", "Loss falls.")
    write_json(run / "evaluations" / "20261121T101112Z.json", {"data": "other", "metrics": {"accuracy": 0.71}})
    split = {"test": {"accuracy": 0.72, "classes": {"cow": {"f1": 0.5}}}, "baseline": {"accuracy": 0.31}}
    write_json(run / "evaluations" / "20261122T101112Z.json", {"data": {"source": "hub"}, "metrics": split})
    path = write_page(run)
    assert path == run / "report.html"
    page = Page(path)
    for text in (
        *("0.9000", "95 % interval 0.8800 to 0.9100", "0.4000", "0.9500", "90.9\xa0%"),
        *(
            "cat",
            "0.8000 (0.7000 to 0.9000)",
            "2026-11-21 10:11:12 UTC",
            "on other",
            "0.7100",
            "on hub",
            "0.7200",
            "0.3100",
            "cow",
        ),
        *("5 min 41 s", "2,778,890", "ab" * 32, "learning_rate", "0.003"),
    ):
        assert text in page.text, text
    assert page.text.index("Loss falls.") < page.text.index("Which class is taken"), "curves come first"
    assert page.text.index("Result") < page.text.index("Loss falls.") < page.text.index("Configuration")
    assert "resume" not in page.text


def test_a_page_needs_nothing_but_itself_and_can_be_heard(tmp_path):
    run = make_run(tmp_path)
    add_picture(run, "curves", "Loss falls.")
    page = Page(write_page(run))
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert all(link.startswith(("data:image/png;base64,", "#")) or (run / link).is_file() for link in page.links())
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert page.tags.count("h1") == 1
    images = [{n: v for t, n, v in page.attributes if t == "img"}]
    assert all("Loss falls." in image["alt"] for image in images)
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("th") == sum(1 for tag, name, _ in page.attributes if (tag, name) == ("th", "scope"))


def test_nothing_in_a_run_can_inject_markup(tmp_path):
    """Every string of every file is hostile, in values and in names."""
    hostile = "</style></pre>'\"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}$\\frac$"
    run = make_run(tmp_path)

    def poison(value):
        if isinstance(value, dict):
            return {f"{name}{hostile}": poison(item) for name, item in value.items()} | {
                name: poison(item) for name, item in value.items()
            }
        return (
            [poison(item) for item in value]
            if isinstance(value, list)
            else hostile
            if isinstance(value, str)
            else value
        )

    summary = poison(json.loads((run / "summary.json").read_text()))
    summary["primary"]["name"] = hostile
    for split in ("test", "baseline", "optimum", "validation"):
        summary["metrics"][split] = {**summary["metrics"][split], hostile: 0.5, f"{hostile}_ci": [0.4, 0.6]}
    write_json(run / "summary.json", summary | {"error": hostile})
    write_json(run / "config.json", poison(json.loads((run / "config.json").read_text())))
    rows = [{"step": 1, "epoch": 1, "split": "validation", hostile: 0.3}, {"split": hostile, "epoch": 1, "loss": 0.3}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_json(run / "evaluations" / "<b>x.json", poison({"data": {"source": "x"}, "metrics": {"t": {"a": {"b": 1}}}}))
    add_picture(run, "<script>", hostile)
    named = run.rename(run.with_name("<script>alert(2)<" + "&'\"b"))
    other = make_run(tmp_path, result=0.8)
    write_json(other / "summary.json", json.loads((named / "summary.json").read_text()) | {"seed": hostile})
    pages = [Page(write_page(named)), Page(write_comparison([named, other], tmp_path / "comparison.html"))]
    assert all("<script>alert(1)</script>" in page.text for page in pages), "the strings are shown, as text"
    assert [page.tags.count("script") for page in pages] == [0, 1], "the comparison has one, which is ours"
    for page in pages:
        assert not {name for _, name, _ in page.attributes if name.startswith("on")}
        assert all(link.startswith(("data:image/png;base64,", "#", "./")) or "/" not in link for link in page.links())
        assert "{{ 7*7 }}" in page.text


def test_a_run_that_stopped_says_how_to_go_on(tmp_path):
    interrupted = make_unfinished(tmp_path, KeyboardInterrupt())
    page = Page(write_page(interrupted))
    assert f"flax-cifar10 train --resume {interrupted}" in page.text
    assert "interrupted" in page.text
    assert "0.5125" in page.text, "the last value logged"
    assert "img" in page.tags, "the curve so far"
    failed = Page(write_page(make_unfinished(tmp_path, RuntimeError("no memory left"))))
    assert "RuntimeError: no memory left" in failed.text


def test_a_run_at_work_has_a_page(tmp_path):
    with Run.start(
        "flax-cifar10", Config(), task="cifar10", framework="flax", primary="accuracy", runs_dir=tmp_path
    ) as run:
        page = Page(write_page(run.path))
        run.update("metrics", validation={"accuracy": 0.61})
        validated = Page(write_page(run.path))
    ended = Page(run.path / "report.html")
    assert "not measured yet" in page.text
    assert "0.6100" in validated.text
    assert "test data is still untouched" in validated.text
    assert 'class="badge running"' in page.source
    assert 'class="badge finished"' in ended.source, "the end of the run is on its page"


@pytest.mark.parametrize(
    "content", [None, "", '{"schema": 1, "metr', "[]", '{"schema": 2}', '{"schema": 1, "cost": 3}']
)
def test_a_damaged_summary_is_refused_in_one_line(tmp_path, content):
    run = make_run(tmp_path)
    (run / "report.html").write_text("kept")
    (run / "summary.json").unlink()
    if content is not None:
        (run / "summary.json").write_text(content)
    for write in (write_page, lambda path: write_comparison([path], tmp_path / "c.html")):
        with pytest.raises(InputError) as refused:
            write(run)
        assert str(run) in str(refused.value)
        assert "\n" not in str(refused.value)
    assert (run / "report.html").read_text() == "kept"


def test_other_damaged_files_cost_only_their_part_of_the_page(tmp_path):
    run = make_run(tmp_path)
    (run / "config.json").write_text("{")
    (run / "metrics.jsonl").write_bytes(b"\xff\xfe\n{}\n")
    add_picture(run, "good", "A good one.")
    (run / "plots" / "cut.png").write_bytes((run / "plots" / "good.png").read_bytes()[:40])
    (run / "plots" / "page.png").write_text("<html>")
    (run / "plots" / ".good.0a1b.png").write_text("half-written")
    (run / "evaluations").mkdir()
    (run / "evaluations" / "x.json").write_text("{")
    page = Page(write_page(run))
    assert page.tags.count("img") == 1
    for name in ("config.json", "history", "cut.png", "page.png", "x.json"):
        assert re.search(rf"{name}.*(cannot be read|left out)", page.text), name
    assert ".good" not in page.text
    assert "0.9000" in page.text


@pytest.mark.parametrize(
    ("metrics", "higher", "expected"),
    [
        ({"test": {"m": 0.9}, "baseline": {"m": 0.5}, "optimum": {"m": 1.0}}, True, (4, 77.6, 96)),
        ({"test": {"m": 6.0}, "baseline": {"m": 10.0}, "optimum": {"m": 5.0}}, False, (4, 77.6, 96)),
        ({"test": {"m": 0.3}, "baseline": {"m": 0.5}, "optimum": {"m": 0.5}}, True, (96, 4, 96)),
        ({"test": {"m": 0.5}, "baseline": {"m": 0.5}, "optimum": None}, True, (50, 50, None)),
    ],
)
def test_better_is_further_right_on_the_line(tmp_path, metrics, higher, expected):
    run = make_run(tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    write_json(
        run / "summary.json", summary | {"metrics": metrics, "primary": {"name": "m", "higher_is_better": higher}}
    )
    line = scale(read_record(run))
    assert (line.baseline, line.result, line.optimum) == pytest.approx(expected)
    Page(write_page(run))


def test_dl_report_writes_one_page_or_a_comparison(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, other = make_run(tmp_path / "runs"), make_run(tmp_path / "runs", result=0.8)
    capsys.readouterr()
    assert main([str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main([str(run), "--open"]) == 0
    assert opened == [(run / "report.html").as_uri()]
    assert main(["last", "--output", "one.html"]) == 0
    assert (tmp_path / "one.html").is_file()
    (other / "report.html").unlink(missing_ok=True)
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["page"] == str(tmp_path / "runs" / "comparison.html")
    assert {line["run"] for line in answer["runs"]} == {str(run), str(other)}
    assert answer["runs"][0]["metrics"]["test"]["accuracy"] in (0.8, 0.9)
    assert (other / "report.html").is_file(), "the page that the comparison links to"
    assert main([str(run), str(other)]) == 0
    assert (tmp_path / "comparison.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name at least one run"),
        (["nowhere"], "does not exist"),
        (["file.txt"], "is not a run directory"),
        (["empty"], "holds no run"),
        (["broken"], "summary.json cannot be read"),
        (["last", "--runs-dir", "empty"], "no run of any project"),
        (["runs", "--output", "empty"], "is a folder"),
        (["runs", "--colour", "red"], "--colour"),
    ],
)
def test_dl_report_refuses_bad_input_in_one_line(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "summary.json").write_text("{")
    capsys.readouterr()
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("error: ")
    assert message in output.err
    assert output.err.count("\n") == 1


def test_a_folder_with_one_damaged_run_still_compares_the_others(tmp_path, capsys):
    make_run(tmp_path)
    damaged = make_run(tmp_path)
    (damaged / "summary.json").write_text("{")
    capsys.readouterr()
    assert main([str(tmp_path)]) == 0
    assert f"left out: {damaged}" in capsys.readouterr().err
    assert "1 run compared" in (tmp_path / "comparison.html").read_text()


def test_numbers_that_no_computer_counts_with_do_no_harm(tmp_path):
    run = make_run(tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    summary["metrics"]["test"]["accuracy"] = summary["cost"]["parameters"] = 2**64 - 1
    (run / "summary.json").write_text(json.dumps(summary))
    with (run / "metrics.jsonl").open("a") as history:
        history.write('{"epoch": 3, "split": "validation", "accuracy": 1' + "0" * 400 + "}\n")
    assert "1 run compared" in Page(write_comparison([run], tmp_path / "c.html")).text
    (run / "summary.json").write_text(json.dumps(summary).replace(str(2**64 - 1), "1" + "0" * 400))
    with pytest.raises(InputError, match=r"summary\.json cannot be read"):
        write_page(run)
    (run / "summary.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"summary\.json cannot be read"):
        write_page(run)


def test_numbers_read_as_people_write_them():
    assert [score(value) for value in (0.91234, 12, 123456.789, 1.5e-7, None, 0.0)] == [
        *("0.9123", "12", "123,456.79", "1.5e-07", "\N{EN DASH}", "0.0000")
    ]
    assert [seconds(value) for value in (0.25, 100.0, 125, 8000)] == ["0.25 s", "100 s", "2 min 5 s", "2 h 13 min"]
    assert [size(value) for value in (512, 1536, 3 * 2**30)] == ["512 B", "1.5 KiB", "3 GiB"]
    assert [words(name) for name in ("bits_per_character", "rmse_log")] == ["bits per character", "RMSE log"]
    assert [moment(name) for name in ("20261121T101112.5Z", "mine")] == ["2026-11-21 10:11:12 UTC", "mine"]
