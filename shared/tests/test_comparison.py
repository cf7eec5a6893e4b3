"""Runs compared: what is ranked with what, and what stands on the page and in the Markdown."""

import base64
import hashlib
import json
import re
import subprocess

import pytest
from PIL import Image
from report_runs import Page, make_run, make_unfinished

from dl_shared.errors import InputError
from dl_shared.files import write_json
from dl_shared.report import write_comparison, write_page
from dl_shared.report.cli import main
from dl_shared.testing import CHROMIUM


def test_a_comparison_ranks_links_and_marks(tmp_path):
    runs = [make_run(tmp_path, result=result, seed=seed) for seed, result in enumerate((0.8, 0.9))]
    runs.append(make_run(tmp_path, project="xla-cifar10", result=0.85, learning_rate=0.5))
    runs.append(make_unfinished(tmp_path, KeyboardInterrupt()))
    for run in runs:
        write_page(run)
    page = Page(write_comparison(runs, tmp_path / "comparison.html"))
    order = [page.source.index(f"{run.name}/report.html") for run in (runs[1], runs[2], runs[0], runs[3])]
    assert order == sorted(order), "best first, the unfinished one last"
    assert all((tmp_path / link).is_file() for link in page.links() if link.startswith("./"))
    assert len(re.findall('<tr class="best">', page.source)) == 1
    assert "0.8500" in page.text
    assert re.search(r"0, 1\s*0\.8500\s*0\.0707", page.text), "mean and standard deviation over two seeds"
    assert 'class="differs">0.5<' in page.source
    assert page.tags.count("img") == 4, "scores, costs and curves; and the curve of the run that has no data"
    assert "not scored on the same data" not in page.text


def test_lower_is_better_ranks_the_other_way(tmp_path):
    runs = [make_run(tmp_path, result=result, learning_rate=result) for result in (0.8, 0.9)]
    for run in runs:
        summary = json.loads((run / "summary.json").read_text())
        write_json(run / "summary.json", summary | {"primary": {"name": "accuracy", "higher_is_better": False}})
    page = Page(write_comparison(runs, tmp_path / "comparison.html"))
    assert page.text.index("0.8000") < page.text.index("0.9000")
    assert "single seed" in page.text


def captions(page):
    """What each table is said to be of, in order."""
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("section", "aria-label")]
    return [label for label in labels if " on " in label]


def test_runs_on_different_data_are_never_in_one_ranking(tmp_path):
    """Other data, and the same data cut elsewhere: each has its own table, its own best, and its own pictures."""
    same = [make_run(tmp_path, result=result, learning_rate=result) for result in (0.7, 0.6)]
    other = [
        make_run(tmp_path, result=result, fingerprint="cd" * 32, epochs=9 - n) for n, result in enumerate((0.9, 0.8))
    ]
    cut = make_run(tmp_path, result=0.99)
    summary = json.loads((cut / "summary.json").read_text())
    summary["data"]["rows"]["test"] = 45
    write_json(cut / "summary.json", summary)
    page = Page(write_comparison([*other, cut, *same], tmp_path / "comparison.html"))
    assert "not scored on the same data" in page.text
    assert len(captions(page)) == 3
    assert page.source.count('<tr class="best">') == 2, "a run alone is not the best of anything"
    tables = [text.partition("</table>")[0] for text in page.source.split('<table class="sticky runs">')[1:]]
    members = [{run for run in (*same, *other, cut) if run.name.rpartition("-")[2] in table} for table in tables]
    assert sorted(map(len, members)) == [1, 2, 2]
    assert all(group in members for group in (set(same), set(other), {cut}))
    assert "test 45" in page.text
    assert "abababababab" in page.text
    assert "cdcdcdcdcdcd" in page.text
    with pytest.raises(InputError, match="no run to compare"):
        write_comparison([], tmp_path / "none.html")


def test_frameworks_on_the_same_data_stand_side_by_side_with_what_they_took(tmp_path):
    runs = [
        make_run(tmp_path, project="flax-cifar10", result=0.9),
        make_run(tmp_path, project="xla-cifar10", result=0.8),
    ]
    for run, framework, lines in zip(runs, ("flax", "xla"), (612, 480), strict=True):
        summary = json.loads((run / "summary.json").read_text())
        summary["framework"] = framework
        summary["cost"] |= {"code_lines": lines, "shared_code_lines": 431, "peak_memory_bytes": 3 * 2**30}
        write_json(run / "summary.json", summary)
    page = Page(write_comparison(runs, tmp_path / "comparison.html"))
    cells = [value for tag, name, value in page.attributes if (tag, name) == ("td", "data-label")]
    taken = ["result", "baseline", "optimum", "gap closed", "training", "compilation", "examples/s", "parameters"]
    assert cells[: len(cells) // 2] == [*taken, "peak memory", "lines of code", "framework"]
    for text in (
        "0.8800 to 0.9100",
        "5 min 41 s",
        "8.5 s",
        "1,320",
        "2,778,890",
        "3 GiB",
        "612",
        "and 431 shared",
        "xla",
    ):
        assert text in page.text, text
    assert page.source.count('<h2 id="task-') == 1


def test_a_failed_run_is_on_the_page_with_its_error(tmp_path):
    failed = make_unfinished(tmp_path, RuntimeError("no memory left"))
    page = Page(write_comparison([make_run(tmp_path), failed], tmp_path / "comparison.html"))
    assert "RuntimeError: no memory left" in page.text
    assert 'class="badge failed"' in page.source


def test_the_page_admits_its_own_script_and_no_other(tmp_path):
    page = Page(write_comparison([make_run(tmp_path)], tmp_path / "comparison.html"))
    script = re.search(r"<script>(.*?)</script>", page.source, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(
        value for tag, name, value in page.attributes if (tag, name) == ("meta", "content") and "src" in value
    )
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert page.tags.count("script") == 1
    assert not {name for tag, name, _ in page.attributes if name.startswith("on") or tag == "script"}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_click_sorts_and_words_narrow(tmp_path):
    """In a real browser: the slowest first, and then only the runs that all words typed occur in."""
    costs = {"flax-cifar10": 30.0, "xla-cifar10": 50.0, "lightning-cifar10": 40.0}
    runs = [make_run(tmp_path, project=name, result=0.9 - seconds / 100) for name, seconds in costs.items()]
    for run, seconds in zip(runs, costs.values(), strict=True):
        summary = json.loads((run / "summary.json").read_text())
        summary["cost"]["train_seconds"] = seconds
        write_json(run / "summary.json", summary)
    page = write_comparison(runs, tmp_path / "comparison.html")
    hand = """<script>
        const button = [...document.querySelectorAll("thead button")].find((one) => one.textContent === "training");
        button.click(); button.click();
        const rows = () => [...document.querySelectorAll("table.runs tbody tr")].filter((row) => row.offsetHeight);
        const names = () => rows().map((row) => row.cells[0].textContent.split("-")[0].trim()).join();
        const sorted = names();
        const filter = document.getElementById("filter");
        filter.value = "CIFAR10 xla";
        filter.dispatchEvent(new Event("input"));
        document.title = `${sorted} / ${names()}`;
    </script>"""
    source = page.read_text(encoding="utf-8").replace("</body>", f"{hand}</body>")
    page.write_text(re.sub(r"<meta http-equiv.*?>", "", source), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command = [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
    assert "<title>xla,lightning,flax / xla</title>" in shown
    assert "1 of 3 runs" in shown


def test_the_same_as_markdown(tmp_path, capsys, monkeypatch):
    """The table of a README: the rows of the page in the same order, and nothing that is markup."""
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs", project="xla-cifar10", result=0.8)
    make_run(tmp_path / "runs", project="flax-cifar10", result=0.9)
    odd = make_run(tmp_path / "runs", fingerprint="cd" * 32)
    summary = json.loads((odd / "summary.json").read_text())
    write_json(odd / "summary.json", summary | {"project": "<b>a|b</b>\n\n# c", "framework": "`*d*"})
    assert main(["compare", "runs", "--markdown", "docs/table.md"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'runs' / 'comparison.html'}\n"
    text = (tmp_path / "docs" / "table.md").read_text()
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert [len(table) for table in tables] == [4, 3], "two on the same data, one on other"
    assert tables[0][2].startswith("| **flax-cifar10** | 0.9000 (0.8800 to 0.9100) | 0.4000 | 0.9500 | 90.9 % |")
    assert "xla-cifar10" in tables[0][3]
    assert r"\<b\>a\|b\</b\> \# c" in tables[1][2]
    assert r"\`\*d\*" in tables[1][2]
    assert all(len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1 for table in tables), "no cell splits"
    assert "sample (train 800, validation 100, test 90); seed 0:" in text


def test_compare_makes_a_comparison_of_a_single_run_too(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "runs")
    for named in ("last", str(run)):
        assert main(["compare", named]) == 0
        assert "1 run compared" in (tmp_path / "comparison.html").read_text()
        (tmp_path / "comparison.html").unlink()
    assert main(["compare", str(run), "--markdown", str(tmp_path)]) == 2
    assert "--markdown takes the name of the file" in capsys.readouterr().err


def test_pictures_of_a_folder_stand_below_the_tasks(tmp_path, capsys):
    run, folder = make_run(tmp_path / "runs"), tmp_path / "a <b>"
    assert main(["compare", str(run), "--pictures", str(folder)]) == 2
    assert f"{folder} is no folder of pictures" in capsys.readouterr().err
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "first_one.png")
    (folder / "cut.png").write_bytes((folder / "first_one.png").read_bytes()[:40])
    page = Page(write_comparison([run], tmp_path / "comparison.html", shown=folder))
    assert '<a href="#more">a &lt;b&gt;</a>' in page.source
    assert '<h2 id="more">a &lt;b&gt;</h2>' in page.source
    ids = re.findall(r' id="([^"]+)"', page.source)
    assert len(ids) == len(set(ids)), "a link leads to one place"
    assert "<figcaption>First one</figcaption>" in page.source
    assert "The picture cut.png is left out" in page.text
