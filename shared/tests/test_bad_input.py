"""Whatever is wrong with the data, the script says so in one line, exits with 2 and changes nothing."""

import gzip
import pickle

import image_layouts as layouts
import numpy as np
import pytest
import yfinance
from yahoo_server import yahoo_server

from dl_shared.data.cli import main
from dl_shared.files import fingerprint

HEADER = "Date,Open,High,Low,Close,Adj Close,Volume\n"
DAY = "2020-01-02,10,11,9,10,10,100\n"


@pytest.fixture
def refusal(capsys):
    """Runs `dl-data` and gives the one line it refuses with."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (status, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err

    return run


def contents(folder):
    return fingerprint([f"{path}{path.read_bytes()}" for path in sorted(folder.rglob("*")) if path.is_file()])


def cut_short(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def nothing(folder):
    return folder / "nowhere"


def an_empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def an_empty_file(folder):
    (folder / "prices.csv").touch()
    return folder / "prices.csv"


def a_document(folder):
    (folder / "report.pdf").write_bytes(b"%PDF-1.7\xff\xfe\x00")
    return folder / "report.pdf"


def truncated_parquet(folder):
    layouts.write_parquet(folder, layouts.make_parts())
    cut_short(folder / "train-00000-of-00001.parquet")
    return folder


def truncated_idx(folder):
    layouts.write_idx(folder, layouts.make_parts((28, 28, 1)))
    cut_short(folder / "train-images-idx3-ubyte.gz")
    return folder


def truncated_batch(folder):
    found = layouts.write_binary(folder, layouts.make_parts())
    cut_short(next(found.rglob("data_batch_1.bin")))
    return found


def labels_out_of_range(folder):
    parts = layouts.make_parts()
    parts[0].labels[3] = 10
    return layouts.write_parquet(folder, parts)


def images_of_another_size(folder):
    return layouts.write_parquet(folder, layouts.make_parts((48, 48, 3)))


def a_link_that_leads_nowhere(folder):
    layouts.write_folders(folder, layouts.make_parts())
    (folder / "train" / "cat" / "9.png").symlink_to(folder / "gone.png")
    return folder


def folders_named(names):
    """Classes whose names are made of digits, but are no labels; the images are of another size."""

    def write(folder):
        train, test = layouts.make_parts((8, 8, 3))
        train.labels[:], test.labels[:] = train.labels % 2, test.labels % 2
        return layouts.write_folders(folder, (train, test), names=names)

    return write


def a_file_that_begins_as_if_compressed(folder):
    (folder / "x.bin").write_bytes(gzip.compress(b"x" * 3000)[:15])
    return folder / "x.bin"


def table(text):
    def write(folder):
        (folder / "ABC.csv").write_text(text)
        return folder / "ABC.csv"

    return write


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (nothing, "does not exist"),
        (an_empty_folder, "empty"),
        (an_empty_file, "prices.csv"),
        (a_document, "report.pdf"),
        (truncated_parquet, "train-00000-of-00001.parquet"),
        (truncated_idx, "train-images-idx3-ubyte.gz"),
        (truncated_batch, "data_batch_1.bin"),
        (labels_out_of_range, "10"),
        (images_of_another_size, "48"),
        (table("Date,Open,High,Low,Volume\n2020-01-02,10,11,9,100\n"), "ABC.csv"),
        (table(HEADER + DAY + "the third of may,10,11,9,10,10,100\n"), "the third of may"),
        (table(HEADER + DAY + "2020-01-03,10,11,9,-4,-4,100\n"), "line 3"),
        (table(HEADER + DAY + "2020-01-03,10,11,9,0,0,100\n"), "line 3"),
        (table(HEADER + DAY + "2020-01-03,10,11,9,ten,10,100\n"), "line 3"),
        (table(HEADER), "ABC.csv"),
        (a_link_that_leads_nowhere, "9.png cannot be read: No such file"),
        (folders_named(("²", "³")), "expected 32 x 32"),
        (folders_named(("9" * 30, "8" * 30)), "expected 32 x 32"),
        (a_file_that_begins_as_if_compressed, "x.bin"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_wrong_data_is_refused_in_one_line(refusal, tmp_path, write, said):
    path = write(tmp_path)
    before = contents(tmp_path)
    assert said in refusal("check", path)
    assert contents(tmp_path) == before


def test_a_home_that_is_not_there_and_a_name_that_is_no_text(refusal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "user who is not there" in refusal("check", "~nobody-of-that-name/prices.csv")
    assert "\\udcff.csv does not exist" in refusal("check", "\udcff.csv")


def test_what_a_message_quotes_is_short_and_does_nothing_to_a_terminal(refusal, tmp_path):
    (tmp_path / "ABC.csv").write_text(HEADER + f"\x1b[2J{'x' * 100_000},10,11,9,10,10,100\n")
    said = refusal("check", tmp_path / "ABC.csv")
    assert r"\x1b[2J" in said
    assert "\x1b" not in said
    assert len(said) < 1200


def test_a_compressed_table_that_is_cut_short(refusal, tmp_path):
    packed = gzip.compress((HEADER + DAY * 50).encode())
    (tmp_path / "S.csv.gz").write_bytes(packed[: len(packed) // 2])
    assert "S.csv.gz is no CSV table" in refusal("check", tmp_path / "S.csv.gz", "--kind", "stocks")


def test_a_malicious_pickle_is_refused_and_not_executed(refusal, tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    found = layouts.write_python(tmp_path / "cifar", layouts.make_parts())
    batch = next(found.rglob("data_batch_1"))
    batch.write_bytes(pickle.dumps({b"data": Attack(), b"labels": [0]}))
    assert "data_batch_1" in refusal("check", tmp_path / "cifar")
    assert not (tmp_path / "executed").exists()
    pickle.loads(batch.read_bytes())
    assert (tmp_path / "executed").exists(), "the attack would have worked"


def test_gaps_repeats_and_disorder_are_mended_and_told(capsys, tmp_path):
    days = [f"2020-01-{day:02},10,11,9,{day},{day},100\n" for day in (2, 6, 3, 7, 7, 8)]
    days[5] = "2020-01-08,10,11,9,,,100\n"
    (tmp_path / "ABC.csv").write_text(HEADER + "".join(days))
    assert main(["check", str(tmp_path / "ABC.csv"), "--json"]) == 0
    said = capsys.readouterr().out
    for word in ("out of order", "given twice", "without a close"):
        assert word in said


def test_an_idx_file_that_promises_more_than_it_holds(refusal, tmp_path):
    """Memory is not taken on the word of a header."""
    layouts.write_idx(tmp_path, layouts.make_parts((28, 28, 1)))
    header = np.array([0x803, 2_000_000_000, 28, 28], ">i4").tobytes()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + bytes(784)))
    assert "train-images-idx3-ubyte.gz" in refusal("check", tmp_path)


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("dl_shared.data.yahoo.time.sleep", lambda seconds: None)
    yfinance.data.YfData.cache_get.cache_clear()
    with yahoo_server({"ABC": [("2020-01-02", 10.0, 11.0, 9.0, 10.5, 5.25, 100)]}) as server:
        monkeypatch.setenv("DL_YAHOO_URL", server.url)
        yield server


def test_yahoo_limits_the_rate(refusal, yahoo):
    yahoo.refuse = 1000
    assert "limit" in refusal("download", "stocks", "--tickers", "ABC")


def test_yahoo_does_not_know_the_ticker(refusal, yahoo):
    assert "NOSUCH" in refusal("download", "stocks", "--tickers", "ABC", "NOSUCH")


def test_without_network_the_other_choices_are_named(refusal, yahoo, monkeypatch):
    monkeypatch.setenv("DL_YAHOO_URL", "http://127.0.0.1:9")
    assert "--data sample" in refusal("download", "stocks", "--tickers", "ABC")
    assert "--data sample" in refusal("download", "cifar10")


def test_prices_by_ticker_are_fetched_and_described(yahoo, capsys):
    assert main(["download", "stocks", "--tickers", "ABC"]) == 0
    assert "ABC: 1 days, 2020-01-02 to 2020-01-02" in capsys.readouterr().out
    assert main(["download", "imdb", "--tickers", "ABC"]) == 2
