"""Sequences to reverse: reading, drawing, splitting, scoring."""

import json

import numpy as np
import pandas as pd
import pytest

from dl_shared.config import TrainConfig
from dl_shared.data.reversal import Sequences, drop_repeats, parse_sequence, read_sequences, shared_sequences
from dl_shared.errors import InputError
from dl_shared.runs import Run
from dl_shared.sample.reversal import make_sequences
from dl_shared.tasks import reversal
from dl_shared.tasks.reversal_pictures import bound_in_words, some_answers


@pytest.fixture
def text_file(tmp_path):
    def write(content):
        path = tmp_path / "sequences.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_rows_survive_padding_and_reverse():
    sequences = Sequences.from_rows([[1, 2, 3], [0], [], [-5, 7]])
    assert sequences.values.tolist() == [[1, 2, 3], [0, 0, 0], [0, 0, 0], [-5, 7, 0]]
    assert sequences.rows() == [[1, 2, 3], [0], [], [-5, 7]]
    assert sequences.reversed().rows() == [[3, 2, 1], [0], [], [7, -5]]
    assert sequences.take(np.array([3, 1])).values.tolist() == [[-5, 7], [0, 0]]


def test_a_trailing_zero_is_a_symbol_not_padding():
    sequences = Sequences.from_rows([[1, 0], [1]])
    assert len(set(sequences.keys())) == 2
    assert sequences.reversed().rows() == [[0, 1], [1]]


def test_reads_spaces_commas_quotes_headers_and_blank_lines(text_file):
    path = text_file('\ufeffsequence\n"3 1 4"\n\n1,5,9\r\n2;6;+5\n-3\t7\n')
    assert read_sequences(path).rows() == [[3, 1, 4], [1, 5, 9], [2, 6, 5], [-3, 7]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2\n3 x 4\n", "line 2: 'x' is not an integer"),
        ("1 2\n3.5\n", "line 2: '3.5' is not an integer"),
        ("1 2\nfoo\n", "line 2: 'foo' is not an integer"),
        ("1\n,,\n", "line 2: no integer"),
        ("99999999999999999999\n", "line 1: 99999999999999999999 does not fit"),
        ("9" * 9999, "does not fit"),
        ("1_000\n", "'1_000' is not an integer"),
        ("", "holds no sequence"),
        ("sequence\n", "holds no sequence"),
        (b"\xff\xfe\x00\x01", "not a text file"),
    ],
)
def test_bad_lines_are_refused_by_number(text_file, content, message):
    with pytest.raises(InputError) as refusal:
        read_sequences(text_file(content))
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 300


def test_one_long_line_among_many_does_not_take_all_memory(text_file):
    with pytest.raises(InputError, match=r"100,001 sequences, the longest of 2,000 integers"):
        read_sequences(text_file("1\n" * 100_000 + "1 " * 2000))


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_sequences(tmp_path / "none.txt")
    with pytest.raises(InputError, match="not a file"):
        read_sequences(tmp_path)
    with pytest.raises(InputError, match="no hub data"):
        reversal.load("hub", seed=0)


def test_a_typed_sequence():
    assert parse_sequence(" 3, 1 4") == [3, 1, 4]
    with pytest.raises(InputError, match="'3 a': 'a' is not an integer"):
        parse_sequence("3 a")
    with pytest.raises(InputError, match="no integer"):
        parse_sequence("")


def test_the_sample_is_distinct_within_its_bounds_and_a_function_of_its_seed():
    options = {"symbols": 4, "min_length": 2, "max_length": 7}
    drawn = make_sequences(3000, **options, seed=5)
    assert len(set(drawn.keys())) == 3000
    assert drawn.lengths.min() == 2
    assert drawn.lengths.max() == 7
    assert {value for row in drawn.rows() for value in row} == {0, 1, 2, 3}
    assert np.bincount(drawn.lengths)[2:5].tolist() == [16, 64, 256]  # all there are of the short lengths
    assert drawn.rows() == make_sequences(3000, **options, seed=5).rows()
    assert drawn.rows() != make_sequences(3000, **options, seed=6).rows()


def test_every_short_sequence_is_equally_likely():
    counts = np.zeros(9)
    for seed in range(300):
        for first, second in make_sequences(3, symbols=3, min_length=2, max_length=2, seed=seed).rows():
            counts[3 * first + second] += 1
    assert abs(counts / 300 - 1 / 3).max() < 0.12  # over four standard deviations


def test_more_sequences_than_there_are_is_refused():
    with pytest.raises(InputError, match=r"allow 14 distinct sequences, fewer than the 15"):
        make_sequences(15, symbols=2, min_length=1, max_length=3, seed=0)
    assert len(make_sequences(14, symbols=2, min_length=1, max_length=3, seed=0)) == 14


@pytest.fixture(scope="module")
def data():
    return reversal.load("sample", seed=3, symbols=5, lengths=(1, 6), train_size=300, test_size=200)


def test_no_sequence_is_in_two_parts(data):
    assert [len(part) for part in (data.train, data.validation, data.test)] == [300, 30, 200]
    for first, second in ((data.train, data.test), (data.train, data.validation), (data.validation, data.test)):
        assert shared_sequences(first, second) == 0
    assert shared_sequences(data.test, data.test) == 200  # the check can find what it looks for


def test_probes_are_longer_than_anything_trained_on(data):
    assert list(data.longer) == [8, 9, 12, 18, 24, 30]
    assert all((probe.lengths == length).all() for length, probe in data.longer.items())


def test_a_file_is_split_after_its_repeats_are_dropped(text_file, capsys):
    lines = [f"{i} {i % 7} -2" for i in range(50)]
    data = reversal.load(str(text_file("\n".join(lines + lines[:9]))), seed=0)
    assert "9 repeated sequences" in capsys.readouterr().err
    assert [len(part) for part in (data.train, data.validation, data.test)] == [40, 5, 5]
    assert sorted(
        " ".join(map(str, row)) for part in (data.train, data.validation, data.test) for row in part.rows()
    ) == (sorted(lines))
    assert data.symbols == (-2, *range(50))
    assert len(drop_repeats(data.train)) == 40


def test_too_few_sequences_are_refused(text_file):
    with pytest.raises(InputError, match="9 distinct sequences are too few"):
        reversal.load(str(text_file("\n".join(map(str, range(9))))), seed=0)


def test_exact_match_wants_the_length_too():
    sources = Sequences.from_rows([[1, 2], [1, 2], [1, 2], [0, 3]])
    answers = Sequences.from_rows([[2, 1], [2], [2, 1, 0], [3, 0]])
    assert reversal.is_exact(sources, answers).tolist() == [True, False, False, True]
    assert reversal.score(sources, answers)["exact_match"] == 0.5


def test_the_baseline_reads_palindromes_right():
    scores = reversal.baseline_scores(Sequences.from_rows([[1, 2, 1], [1, 2, 3], [4], [1, 2]]))
    assert scores["exact_match"] == 0.5
    assert scores["accuracy"] == 5 / 9
    assert not any(name.endswith("_ci") for name in scores)


def test_by_length_has_an_interval_even_where_all_are_right():
    table = reversal.exact_by_length(np.array([3, 3, 3, 5]), np.array([True, True, True, False]))
    assert table["3"]["exact_match"] == 1
    low, high = table["3"]["exact_match_ci"]
    assert low == pytest.approx(3 / (3 + 1.959964**2))  # Wilson's bound for n of n: n / (n + z^2)
    assert high == pytest.approx(1)
    assert table["5"] == {
        "exact_match": 0.0,
        "exact_match_ci": [pytest.approx(0), pytest.approx(0.7935, abs=1e-4)],
        "sequences": 1,
    }


def test_the_bound_in_words_is_the_rule_of_three():
    assert "No error in 1,000 tests" in bound_in_words(np.ones(1000, bool))
    assert "below 0.3 %" in bound_in_words(np.ones(1000, bool))
    assert "1 of 4 test sequences are wrong" in bound_in_words(np.array([True, False, True, True]))


def test_sample_answers_show_errors_first():
    sources = Sequences.from_rows([[i % 3] * (1 + i % 9) for i in range(40)])
    exact = np.arange(40) % 13 != 5
    shown, answers, right = some_answers(sources, sources.reversed(), exact)
    assert right == [False, False, False, True, True, True, True, True]
    assert [len(row) for row in shown[3:]] == sorted(len(row) for row in shown[3:])
    assert [row[::-1] for row in shown] == answers


@pytest.mark.parametrize("wrong", [0, 40])
def test_report_and_evaluate_write_scores_pictures_and_page(tmp_path, data, wrong):
    rows = data.test.reversed().rows()
    answers = Sequences.from_rows([[*row, 1] if i < wrong else row for i, row in enumerate(rows)])
    example = reversal.AttentionExample(("bos", "1", "eos"), ("1", "eos"), np.full((2, 3), 1 / 3))
    config = TrainConfig(data="sample", epochs=1, batch_size=1)
    with Run.start("toy", config, task="seq2seq", framework="none", primary="exact_match", runs_dir=tmp_path) as run:
        reversal.record_data(run, data)
        run.log(step=1, epoch=1, split="train", loss=0.5)
        run.log(step=1, epoch=1, split="validation", loss=0.4, exact_match=0.9)
        longer = {length: probe.reversed() for length, probe in data.longer.items()}
        metrics = reversal.report(run, data, answers, longer, [example])
    assert metrics["test"]["exact_match"] == 1 - wrong / 200
    assert metrics["baseline"]["exact_match"] < 0.2
    assert (metrics["gap_closed"] == 1) == (wrong == 0)
    assert metrics["test"]["by_length"]["30"]["exact_match"] == 1
    frame = pd.read_parquet(run.path / "predictions.parquet")
    assert frame.exact.sum() == 200 - wrong
    assert frame.target[7].tolist() == frame.source[7][::-1].tolist()
    names = {"attention", "exact_match_by_length", "sample_predictions", "training_curves"}
    assert {path.stem for path in (run.path / "plots").iterdir()} == names
    scores = reversal.evaluate(run.path, data.validation, data.validation, "the validation part")
    (kept,) = (run.path / "evaluations").iterdir()
    assert json.loads(kept.read_text())["metrics"] == scores
    assert json.loads(kept.read_text())["data"]["source"] == "the validation part"
    assert "the validation part" in (run.path / "report.html").read_text()


def test_sequences_to_evaluate_come_from_the_sample_or_a_whole_file(text_file):
    drawn, source = reversal.load_test("sample", seed=1, symbols=3, lengths=(4, 4), count=50)
    assert drawn.lengths.tolist() == [4] * 50
    assert "lengths 4 to 4" in source
    read, _ = reversal.load_test(str(text_file("1 2\n1 2\n")), seed=1, symbols=3, lengths=(4, 4), count=50)
    assert read.rows() == [[1, 2], [1, 2]]
