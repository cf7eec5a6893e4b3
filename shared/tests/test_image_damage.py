"""Images that cannot be used: one line that says what is wrong and where, and nothing run or lost."""

import gzip
import os
import pickle
import struct
import tracemalloc

import image_layouts as layouts
import numpy as np
import pytest

from dl_shared.data.image_sets import Split
from dl_shared.data.images import load_images
from dl_shared.errors import InputError


@pytest.fixture
def parts():
    return layouts.make_parts()


def refused(path, *patterns, dataset="cifar10"):
    with pytest.raises(InputError) as caught:
        load_images(str(path), dataset)
    message = str(caught.value)
    assert "\n" not in message
    for pattern in patterns:
        assert str(pattern) in message


def cut(file, keep=0.63):
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])


def test_missing_empty_and_wrong_kind(tmp_path):
    refused(tmp_path / "absent", tmp_path / "absent", "does not exist", "sample", "hub")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "is empty")
    for name in ("notes.txt", "table.csv", "images.zip"):
        (tmp_path / name).write_text("hello")
        refused(tmp_path / name, name, "no labelled images")
    refused("sample", "unknown image data set", dataset="cifar100")


def test_flat_folder_of_images_has_no_classes(tmp_path, parts):
    for row in range(3):
        (tmp_path / f"{row}.png").write_bytes(layouts.png(parts[0].images[row]))
    refused(tmp_path, "no labelled images")


def test_truncated_parquet(tmp_path, parts):
    folder = layouts.write_parquet(tmp_path, parts)
    cut(folder / "test-00000-of-00001.parquet")
    refused(tmp_path, "test-00000-of-00001.parquet", "not a whole Parquet file")


def test_parquet_with_damaged_pages(tmp_path, parts):
    file = layouts.write_parquet(tmp_path, parts) / "train-00000-of-00001.parquet"
    raw = bytearray(file.read_bytes())
    raw[4:4000] = bytes(3996)
    file.write_bytes(raw)
    refused(tmp_path, "train-00000-of-00001.parquet")


@pytest.mark.parametrize("part", ["train", "test"])
def test_parquet_without_a_part(tmp_path, parts, part):
    (layouts.write_parquet(tmp_path, parts) / f"{part}-00000-of-00001.parquet").unlink()
    refused(tmp_path, f"has no {part} part")


def test_parquet_with_a_file_of_several_missing(tmp_path, parts):
    file = layouts.write_parquet(tmp_path, parts) / "train-00000-of-00001.parquet"
    file.rename(tmp_path / "train-00000-of-00003.parquet")
    refused(tmp_path, "lacks 2 of the train part's files")


def test_parquet_of_something_else(tmp_path, parts):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in ("train", "test"):
        pq.write_table(pa.table({"text": ["a"], "label": [0]}), tmp_path / f"{name}.parquet")
    refused(tmp_path, "no image column", "found text, label")
    for name in ("train", "test"):
        pq.write_table(pa.table({"img": ["a"], "label": ["cat"]}), tmp_path / f"{name}.parquet")
    refused(tmp_path, "train.parquet")
    layouts.write_parquet(tmp_path / "again", parts)
    refused(tmp_path, "several folders")


def test_parquet_with_a_damaged_image(tmp_path, parts):
    import pyarrow as pa
    import pyarrow.parquet as pq

    cells = [layouts.png(image) for image in parts[0].images]
    cells[17] = cells[17][:60]
    for name in ("train", "test"):
        pq.write_table(pa.table({"img": cells, "label": parts[0].labels}), tmp_path / f"{name}.parquet")
    refused(tmp_path, "image 17 of", "not a readable image")


@pytest.mark.parametrize("writer", ["parquet", "binary", "python"])
@pytest.mark.parametrize("label", [10, 255])
def test_labels_out_of_range(tmp_path, parts, writer, label):
    parts[1].labels[3] = label
    getattr(layouts, f"write_{writer}")(tmp_path, parts)
    refused(tmp_path, f"to {label}, expected 0 to 9", "test part")


def test_images_of_another_size(tmp_path):
    big = layouts.make_parts((40, 32, 3))
    refused(layouts.write_parquet(tmp_path / "p", big), "32 x 40 pixels, expected 32 x 32")
    refused(layouts.write_folders(tmp_path / "f", big), ".png is 32 x 40 pixels")
    digits = layouts.write_idx(tmp_path / "i", layouts.make_parts((28, 28, 1)))
    refused(digits, "images of 28 x 28 x 1, expected 32 x 32 x 3")
    refused(
        layouts.write_binary(tmp_path / "b", layouts.make_parts()),
        "CIFAR-10's batches, expected MNIST",
        dataset="mnist",
    )


@pytest.mark.parametrize("name", ["data_batch_3.bin", "test_batch.bin"])
def test_truncated_binary_batch(tmp_path, parts, name):
    cut(layouts.write_binary(tmp_path, parts) / name)
    refused(tmp_path, name, "cut short")
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path, name, "0 bytes")


def test_truncated_python_batch(tmp_path, parts):
    cut(layouts.write_python(tmp_path, parts) / "data_batch_2")
    refused(tmp_path, "data_batch_2", "cut short")


@pytest.mark.parametrize("compressed", [True, False])
def test_truncated_archive(tmp_path, parts, compressed):
    import gzip

    file = layouts.write_archive(tmp_path / "a.tar.gz", parts, "binary")
    if not compressed:
        file.write_bytes(gzip.decompress(file.read_bytes()))
    cut(file)
    refused(file, "a.tar.gz", "damaged or cut short")


def test_batches_without_a_test_part(tmp_path, parts):
    (layouts.write_binary(tmp_path, parts) / "test_batch.bin").unlink()
    refused(tmp_path, "lacks test_batch")


class Malicious:
    """What an attacker puts into a batch."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        lambda marker: Malicious(os.system, f"touch {marker}"),
        lambda marker: Malicious(eval, f"open({str(marker)!r}, 'w')"),
        lambda marker: Malicious(open, str(marker), "w"),
        lambda marker: Malicious(np.save, str(marker), np.zeros(1)),
        lambda marker: Malicious(pickle.loads, pickle.dumps(Malicious(os.mkdir, str(marker)))),
    ],
    ids=["system", "eval", "open", "numpy function", "nested"],
)
@pytest.mark.parametrize("in_archive", [False, True])
def test_malicious_pickle_is_refused_not_run(tmp_path, parts, attack, in_archive, monkeypatch):
    marker = tmp_path / "ran"
    raw = pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": attack(marker)}, protocol=2)
    monkeypatch.setattr(layouts, "python_batch", lambda part, **_: raw)
    if in_archive:
        path = layouts.write_archive(tmp_path / "data.tar.gz", parts, "python")
    else:
        path = layouts.write_python(tmp_path / "data", parts)
    refused(path, "is refused: it asks for")
    assert not marker.exists()
    pickle.loads(raw)  # the attack would have worked
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {b"data": np.zeros((2, 3072), np.uint8)},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]},
        {b"data": np.zeros((2, 3072)), b"labels": [1, 2]},
        {b"data": np.zeros((2, 100), np.uint8), b"labels": [1, 2]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": ["a", "b"]},
        {b"data": np.array([None, {}]), b"labels": [1, 2]},
    ],
)
def test_pickles_of_something_else(tmp_path, parts, content):
    (layouts.write_python(tmp_path, parts) / "data_batch_1").write_bytes(pickle.dumps(content, protocol=2))
    refused(tmp_path, "data_batch_1")


def test_truncated_and_damaged_idx(tmp_path):
    digits = layouts.make_parts((28, 28, 1))
    packed = layouts.write_idx(tmp_path / "gz", digits)
    cut(packed / "train-images-idx3-ubyte.gz")
    refused(packed, "train-images-idx3-ubyte.gz", "cut short", dataset="mnist")
    plain = layouts.write_idx(tmp_path / "plain", digits, compress=False)
    cut(plain / "t10k-labels-idx1-ubyte", keep=0.9)
    refused(plain, "t10k-labels-idx1-ubyte", "its header announces 20 bytes, 17 follow", dataset="mnist")
    (plain / "t10k-labels-idx1-ubyte").write_bytes(b"hello")
    refused(plain, "is not an IDX file", dataset="mnist")
    (plain / "t10k-labels-idx1-ubyte").write_bytes(layouts.idx(np.arange(19) % 10))
    refused(plain, "19 labels for the 20 images", dataset="mnist")
    (plain / "t10k-labels-idx1-ubyte").unlink()
    refused(plain, "lacks the IDX file of the test labels", dataset="mnist")


def test_idx_header_with_absurd_sizes(tmp_path):
    folder = layouts.write_idx(tmp_path, layouts.make_parts((28, 28, 1)), compress=False)
    (folder / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12 + b"\0" * 50)
    refused(folder, "its header announces", dataset="mnist")


def test_kaggle_tables_that_do_not_fit(tmp_path):
    (train, _) = layouts.make_parts()
    table = layouts.write_kaggle(tmp_path, train) / "trainLabels.csv"
    text = table.read_text()
    table.write_text(text.replace("3,", "9999,", 1))
    refused(tmp_path, "names image '9999'")
    table.write_text(text.replace("frog", "toad"))
    refused(tmp_path, "unknown label 'toad'")
    table.write_text("id;label\n1;frog\n")
    refused(tmp_path, "names image 'None'")
    table.write_bytes(b"id,label\n\xff\xfe,frog\n")
    refused(tmp_path, "not a CSV file in UTF-8")


def test_folders_that_do_not_fit(tmp_path, parts):
    one = Split(parts[0].images[:5], np.zeros(5, np.int64))
    refused(layouts.write_folders(tmp_path / "one", (one,), part_names=("",)), "1 class folder")
    layouts.write_folders(tmp_path / "more", (one.rows(np.arange(4)), parts[1]))
    refused(tmp_path / "more", "1 class folder")
    damaged = layouts.write_folders(tmp_path / "damaged", parts)
    file = next(damaged.rglob("*.png"))
    file.write_bytes(b"no image")
    refused(damaged, file.name, "not a readable image")


def test_a_pickle_takes_no_memory_at_its_word(tmp_path, parts):
    """A number of its memo decides how long that is; a list that holds another ten times over can be ten lists deep."""
    batch = layouts.write_python(tmp_path, parts) / "data_batch_1"
    memo = b"\x80\x02]r\xff\xff\xff\x00."  # an empty list, remembered under the number 16,777,215
    long = b"\x80\x05\x96" + (1 << 28).to_bytes(8, "little") + b"short."  # a bytearray that is not there
    row = [0]
    for _ in range(12):
        row = [row] * 10
    nested = pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": row}, protocol=2)
    for raw in (memo, long, nested):
        batch.write_bytes(raw)
        tracemalloc.start()
        refused(tmp_path, "data_batch_1")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000


@pytest.mark.parametrize("size", [-512, -(1 << 40)])
def test_a_member_of_negative_size_is_refused(tmp_path, parts, size):
    """Python's tarfile would come to the same member again and again."""
    file = layouts.write_archive(tmp_path / "a.tar.gz", parts, "binary")
    plain = bytearray(gzip.decompress(file.read_bytes()))
    plain[124:136] = b"\xff" + (size & ((1 << 88) - 1)).to_bytes(11, "big")
    plain[148:156] = b" " * 8
    plain[148:156] = b"%06o\0 " % sum(plain[:512])
    file.write_bytes(gzip.compress(plain))
    refused(file, "a.tar.gz")


def test_parquet_whose_footer_counts_other_rows(tmp_path, parts):
    file = layouts.write_parquet(tmp_path, parts) / "train-00000-of-00001.parquet"
    raw = file.read_bytes()
    body, footer = raw[:-2000], raw[-2000:]
    assert b"\x16\x50" in footer  # 40 rows, in Thrift's compact protocol
    file.write_bytes(body + footer.replace(b"\x16\x50", b"\x16\x7e"))
    train = load_images(str(tmp_path)).train
    np.testing.assert_array_equal(train.images, parts[0].images)
    np.testing.assert_array_equal(train.labels, parts[0].labels)


@pytest.mark.parametrize("cells", [["/etc/passwd"] * 2, [3, 4]], ids=["paths", "numbers"])
def test_parquet_whose_images_are_no_bytes(tmp_path, cells):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in ("train", "test"):
        table = pa.table({"img": [{"bytes": cell} for cell in cells], "label": [0, 1]})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    refused(tmp_path, "expected bytes")


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">HBB3I", 0, 8, 3, 0, 0xFFFF_FFFF, 0xFFFF_FFFF),
        struct.pack(">HBB100I", 0, 8, 100, *[1] * 100) + b"\0",
        struct.pack(">HBB3I", 0, 8, 3, 0xFFFF_FFFF, 28, 28),
    ],
    ids=["nothing of many", "a hundred axes", "too many"],
)
def test_idx_headers_that_no_array_has(tmp_path, header):
    folder = layouts.write_idx(tmp_path, layouts.make_parts((28, 28, 1)), compress=False)
    (folder / "train-images-idx3-ubyte").write_bytes(header)
    refused(folder, "train-images-idx3-ubyte", dataset="mnist")


def test_of_a_compressed_file_no_more_is_unpacked_than_its_header_announces(tmp_path):
    folder = layouts.write_idx(tmp_path, layouts.make_parts((28, 28, 1)))
    bomb = layouts.idx(np.zeros((40, 28, 28), np.uint8)) + bytes(100 << 20)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(bomb, compresslevel=1))
    del bomb
    tracemalloc.start()
    refused(folder, "31,360 bytes, more follow", dataset="mnist")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
