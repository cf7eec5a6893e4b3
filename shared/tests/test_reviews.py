"""Reviews from every layout; what is refused; splits that share no text; a sample that words alone cannot solve."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dl_shared.baselines import tfidf
from dl_shared.baselines.tfidf import tfidf_probabilities
from dl_shared.data.reviews import Reviews, Source, clean, download_reviews, read_reviews, split_reviews
from dl_shared.errors import InputError
from dl_shared.sample.reviews import BLAME, NEGATORS, PRAISE, make_reviews

TEXTS = ['A <br />good, "odd" film', "NA", "bad\nbad", "null"]
LABELS = [1, 0, 0, 1]


def write_folders(root: Path) -> None:
    for part in ("train", "test"):
        for label, name in enumerate(("neg", "pos")):
            (root / part / name).mkdir(parents=True)
            for i, text in enumerate(TEXTS):
                if LABELS[i] == label:
                    (root / part / name / f"{i}_{9 * label + 1}.txt").write_text(f"{text} {part}")
    (root / "train" / "unsup").mkdir()
    (root / "train" / "unsup" / "0_0.txt").write_text("no label")


def write_csv(path: Path, columns=("review", "sentiment"), words=("negative", "positive")) -> None:
    pd.DataFrame({columns[0]: TEXTS, columns[1]: [words[label] for label in LABELS]}).to_csv(path, index=False)


@pytest.mark.parametrize("words", [("negative", "positive"), ("Neg", "POS"), ("0", "1")])
def test_csv(tmp_path, words):
    write_csv(tmp_path / "IMDB Dataset.csv", words=words)
    for path in (tmp_path, tmp_path / "IMDB Dataset.csv"):
        source = read_reviews(path)
        assert source.reviews.texts == TEXTS  # `NA` and `null` are reviews like others
        assert source.reviews.labels.tolist() == LABELS
        assert source.test is None


@pytest.mark.parametrize("above", [True, False])
def test_original_folders(tmp_path, above):
    write_folders(tmp_path / "aclImdb")
    source = read_reviews(tmp_path if above else tmp_path / "aclImdb")
    assert sorted(source.reviews.texts) == sorted(f"{text} train" for text in TEXTS)
    assert source.test is not None
    assert sorted(source.test.texts) == sorted(f"{text} test" for text in TEXTS)
    assert dict(zip(source.test.texts, source.test.labels, strict=True))["NA test"] == 0


def test_parquet_of_the_hub(tmp_path):
    (tmp_path / "plain_text").mkdir()
    frame = pd.DataFrame({"text": [*TEXTS, "no label"], "label": [*LABELS, -1]})
    frame.to_parquet(tmp_path / "plain_text" / "train-00000-of-00001.parquet")
    frame[::-1].to_parquet(tmp_path / "plain_text" / "test-00000-of-00001.parquet")
    source = read_reviews(tmp_path)
    assert source.reviews.texts == TEXTS
    assert source.test is not None
    assert source.test.texts == TEXTS[::-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; give"),
        ("review,sentiment\n", "has a header and no reviews"),
        ("title,stars\na,5\n", "has the columns title, stars; needed are review,sentiment"),
        ("review,sentiment\ngood,positive\nso so,neutral\n", "sentiment is 'neutral' in 1 of 2 reviews; it must be"),
        ("review,sentiment\ngood,positive\n,negative\n", "review 2 is empty"),
        ("review,sentiment\ngood,positive\nbad,\n", "sentiment is '' in 1 of 2"),
        ('review,sentiment\n"good,positive\n', "is no CSV table"),
        (b"review,sentiment\ncaf\xe9,positive\n", "is not UTF-8"),
        (b"PAR1 and no more", "damaged Parquet"),
        ("text,label\nso so,-1\n", "no review with a label"),
    ],
)
def test_refuses_files(tmp_path, content, message):
    path = tmp_path / "reviews.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read_reviews(path)
    assert "\n" not in str(caught.value)


def test_refuses_paths(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_reviews(tmp_path / "none")
    with pytest.raises(InputError, match="holds no reviews"):
        read_reviews(tmp_path)
    (tmp_path / "pos").mkdir()
    (tmp_path / "neg").mkdir()
    with pytest.raises(InputError, match=r"neg has no \.txt file"):
        read_reviews(tmp_path)


def test_hub_without_network_names_the_other_choices():
    with pytest.raises(InputError, match=r"hub cannot be reached .*--data sample, or --data with the path"):
        download_reviews()


@pytest.mark.parametrize("imported", ["sys", "huggingface_hub.constants"])
def test_a_hub_out_of_reach_is_one_line_of_the_script(tmp_path, imported):
    """In a process that is not told to stay offline, as a person's is not, and that may have asked the hub before."""
    environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    del environment["HF_HUB_OFFLINE"]
    command = [
        sys.executable,
        "-c",
        f"import sys, {imported}; from dl_shared.data.cli import main; sys.exit(main())",
        "download",
        "imdb",
    ]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert "--data sample" in result.stderr


def test_clean():
    assert clean("It&#39;s <br /><br/>a &quot;film&quot; <BR>\n\n  &amp; more ") == 'It\'s a "film" & more'


def numbered(n: int, prefix: str = "review") -> Reviews:
    return Reviews([f"{prefix} {i}" for i in range(n)], np.arange(n) % 2)


def test_split_is_stratified_disjoint_and_seeded():
    splits = split_reviews(Source(numbered(1000), None), seed=3)
    parts = [splits.train, splits.validation, splits.test]
    assert [len(part) for part in parts] == [720, 80, 200]
    assert all(part.labels.mean() == 0.5 for part in parts)
    assert len({text for part in parts for text in part.texts}) == 1000
    assert splits.test.texts == split_reviews(Source(numbered(1000), None), seed=3).test.texts
    assert splits.test.texts != split_reviews(Source(numbered(1000), None), seed=4).test.texts


def test_repeated_texts_are_left_out_and_the_test_part_is_kept():
    fit, test = numbered(100), Reviews([*numbered(10, "test").texts, "REVIEW  5"], np.array([0, 1] * 5 + [1]))
    fit = Reviews([*fit.texts, "review 7<br />"], np.append(fit.labels, 1))
    splits = split_reviews(Source(fit, test), seed=0)
    assert splits.repeated == 2
    assert splits.test.texts == [*numbered(10, "test").texts, "REVIEW 5"]
    assert len(splits.train) + len(splits.validation) == 99
    assert "review 5" not in splits.train.texts + splits.validation.texts


def test_refuses_one_class_and_too_few():
    one = Reviews(["a", "b"], np.array([1, 1]))
    with pytest.raises(InputError, match="all reviews of the training part are positive"):
        split_reviews(Source(one, None), seed=0)
    with pytest.raises(InputError, match="too few to split"):
        split_reviews(Source(numbered(4), None), seed=0)


def test_sample_is_seeded_balanced_and_flipped_at_its_rate():
    sample = make_reviews(4000, seed=1)
    assert sample.texts == make_reviews(4000, seed=1).texts
    assert sample.texts != make_reviews(4000, seed=2).texts
    assert sample.opinions.mean() == 0.5
    assert (sample.labels != sample.opinions).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))
    with pytest.raises(ValueError, match="flip rate"):
        make_reviews(10, 0, flip_rate=0.5)


def test_opinion_is_what_a_reader_of_the_grammar_finds():
    """A second way to the opinion: split into clauses, drop the conceded one, count adjective and negation."""
    starts = [form.split(" the {}")[0] for form in NEGATORS]
    sample = make_reviews(500, seed=5)
    for text, opinion in zip(sample.texts, sample.opinions, strict=True):
        (verdict,) = [part for part in text.split(" .") if set(part.split()) & {*PRAISE, *BLAME}]
        verdict = verdict.strip()
        if " , but " in verdict:
            main = verdict.split(" , but ")[1]
        elif verdict.startswith("although"):
            main = verdict.split(" , ")[1]
        else:
            main = verdict.split(" , although ")[0]
        negated = any(main.startswith(start) for start in starts)
        praised = main.split()[-1] in PRAISE
        assert (praised != negated) == bool(opinion)


def test_tfidf_learns_words_and_leaves_the_sample_wide_open(monkeypatch):
    sample = make_reviews(3000, seed=0)
    probabilities = tfidf_probabilities(sample.texts[:2400], sample.labels[:2400], sample.texts[2400:])
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert 0.6 < (probabilities.argmax(axis=1) == sample.labels[2400:]).mean() < 0.85
    plain = ["the plot was good", "the cast was bad"] * 20
    labels = np.array([1, 0] * 20)
    assert (tfidf_probabilities(plain, labels, plain).argmax(axis=1) == labels).all()
    monkeypatch.setattr(tfidf, "tfidf_pipeline", None)  # a second fit would fail
    again = tfidf_probabilities(sample.texts[:2400], sample.labels[:2400], sample.texts[2400:])
    assert (again == probabilities).all()


@pytest.mark.skipif("DL_TEST_DATA" not in os.environ, reason="needs the real data")
def test_the_real_reviews():
    source = read_reviews(Path(os.environ["DL_TEST_DATA"]) / "imdb")
    assert len(source.reviews) == 20_000
    assert source.reviews.labels.sum() == 10_000
    assert split_reviews(source, seed=0).repeated == 0
