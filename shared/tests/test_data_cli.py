"""`dl-data` seen from outside: what lies at a path, what is known, and refusals in one line."""

import errno
import gzip
import json
import subprocess
import sys

import image_layouts as layouts
import pytest

from dl_shared.data import catalogue
from dl_shared.data.cli import main


@pytest.fixture
def dl_data(capsys):
    """Runs the script in this process; gives exit status, stdout and stderr."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        return (status, *capsys.readouterr())

    return run


def described(dl_data, *arguments):
    status, out, _ = dl_data("check", *arguments, "--json")
    assert status == 0
    return json.loads(out)


def write_prices(file, days=80):
    lines = ["Date,Open,High,Low,Close,Adj Close,Volume"]
    lines += [
        f"2020-{1 + day // 28:02}-{1 + day % 28:02},10,11,9,{10 + day % 3},{10 + day % 3},100" for day in range(days)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def test_images_are_recognised_by_layout_and_size(dl_data, tmp_path):
    parts = layouts.make_parts()
    found = described(dl_data, layouts.write_binary(tmp_path / "a", parts))
    assert (found["kind"], found["train"], found["test"]) == ("cifar10", 40, 20)
    assert len(found["fingerprint"]) == 64
    digits = layouts.make_parts((28, 28, 1))
    assert described(dl_data, layouts.write_idx(tmp_path / "b", digits))["kind"] == "mnist"
    assert described(dl_data, layouts.write_idx(tmp_path / "fashion", digits))["kind"] == "fashion_mnist"
    folders = layouts.write_folders(tmp_path / "c", digits, names="0123456789")
    assert described(dl_data, folders)["kind"] == "mnist"


def test_repeated_and_leaked_images_are_quirks(dl_data, tmp_path):
    train, test = layouts.make_parts()
    train.images[1] = train.images[0]
    test.images[:3] = train.images[7:10]
    quirks = described(dl_data, layouts.write_binary(tmp_path, (train, test)))["quirks"]
    assert "1 training images occur more than once" in quirks
    assert "3 test images occur in the training part too" in quirks


def test_text_tables_and_sequences(dl_data, tmp_path):
    rows = "".join(f'"A film, {number} of them",{("negative", "positive")[number % 2]}\n' for number in range(40))
    (tmp_path / "reviews.csv").write_text("review,sentiment\n" + rows)
    found = described(dl_data, tmp_path / "reviews.csv")
    assert (found["kind"], found["reviews"], found["positive"]) == ("imdb", 40, 20)

    (tmp_path / "play.txt").write_text("\n" + "To be, or not to be.\n" * 100)
    found = described(dl_data, tmp_path / "play.txt")
    assert (found["kind"], found["characters"]) == ("shakespeare", 2101)

    write_prices(tmp_path / "prices" / "AAA.csv")
    found = described(dl_data, tmp_path / "prices")
    assert (found["kind"], found["days"]) == ("stocks", 80)
    assert found["tickers"][0].startswith("AAA: 80 days, 2020-01-01")

    (tmp_path / "numbers.txt").write_text("1 2 3\n4 5\n1 2 3\n")
    found = described(dl_data, tmp_path / "numbers.txt")
    assert (found["kind"], found["sequences"], found["lengths"]) == ("reversal", 3, "2 to 3")
    assert found["quirks"] == ["1 sequences occur more than once"]


def test_a_compressed_table_is_known_by_its_columns_too(dl_data, tmp_path):
    write_prices(tmp_path / "AAA.csv")
    packed = tmp_path / "AAA.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "AAA.csv").read_bytes()))
    plain, found = described(dl_data, tmp_path / "AAA.csv"), described(dl_data, packed)
    assert found == plain | {"path": str(packed)}
    packed.write_bytes(packed.read_bytes()[:20])
    status, _, err = dl_data("check", packed)
    assert status == 2
    assert "of no kind we know" in err


def test_kind_overrules_the_guess(dl_data, tmp_path):
    (tmp_path / "numbers.txt").write_text("1 2 3 4 5 6 7 8 9\n" * 100)
    assert described(dl_data, tmp_path / "numbers.txt")["kind"] == "reversal"
    assert described(dl_data, tmp_path / "numbers.txt", "--kind", "shakespeare")["characters"] == 1800


def test_people_get_lines(dl_data, tmp_path):
    status, out, _ = dl_data("check", layouts.write_binary(tmp_path, layouts.make_parts()))
    assert status == 0
    assert "train: 40\n" in out
    assert "  - airplane: 4 training images\n" in out


def test_what_the_system_says_is_one_line_too(dl_data, tmp_path, monkeypatch):
    """Whatever the name of the file that it refuses."""

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", "a\nb\x1b[2J")

    monkeypatch.setattr(catalogue, "guess", refuse)
    assert dl_data("check", tmp_path) == (
        2,
        "",
        "error: Permission denied: a b\\x1b[2J; free some space or choose another folder\n",
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("a,b\n1,2\n", "has the columns a, b: of no kind we know"),
        ("Date,Close\n2020-01-01,ten\n", "data.csv"),
        (b"\xff\xfe\x00", "of no kind we know"),
    ],
)
def test_refusals_are_one_line(dl_data, tmp_path, content, said):
    file = tmp_path / "data.csv"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, out, err = dl_data("check", file)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


def test_list_names_sources_and_terms(dl_data):
    status, out, _ = dl_data("list", "--json")
    rows = json.loads(out)["rows"]
    assert status == 0
    assert [row["name"] for row in rows] == [name for name in catalogue.CATALOGUE if name != "reversal"]
    assert all(row["title"] and row["source"] and row["terms"] for row in rows)


@pytest.mark.parametrize(
    ("name", "said"),
    [("cifar10", "cannot be fetched"), ("houses", "Kaggle"), ("nonsense", "nonsense")],
)
def test_download_says_why_not(dl_data, name, said, tmp_path, monkeypatch):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
    status, _, err = dl_data("download", name)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1


def test_help_imports_no_loader():
    code = (
        "import sys, dl_shared.data.cli\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'PIL', 'datasets', 'sklearn', 'requests', 'matplotlib'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
