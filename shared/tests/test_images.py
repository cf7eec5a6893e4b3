"""The same images come out of every layout, once decoded they come from the cache, and a damaged cache is rebuilt."""

import image_layouts as layouts
import numpy as np
import pytest

from dl_shared.data import image_cache
from dl_shared.data.image_sets import IMAGE_SETS, PICTURES, Split
from dl_shared.data.images import load_images, stratified_mask, with_labels
from dl_shared.errors import InputError
from dl_shared.files import cache_dir, fingerprint

WRITERS = {
    "parquet": layouts.write_parquet,
    "parquet, image column, no features": lambda at, parts: layouts.write_parquet(
        at, parts, image="image", features=False
    ),
    "parquet, plain bytes": lambda at, parts: layouts.write_parquet(at, parts, plain_bytes=True),
    "parquet in the hub's folder": lambda at, parts: layouts.write_parquet(at / "plain_text", parts).parent,
    "binary batches": layouts.write_binary,
    "binary batches in a folder": lambda at, parts: layouts.write_binary(at / "cifar-10-batches-bin", parts).parent,
    "python batches": layouts.write_python,
    "python batches, text keys, newest protocol": lambda at, parts: layouts.write_python(
        at, parts, protocol=5, keys=str
    ),
    "binary archive": lambda at, parts: layouts.write_archive(at / "cifar-10-binary.tar.gz", parts, "binary"),
    "python archive": lambda at, parts: layouts.write_archive(at / "any-name.tar.gz", parts, "python"),
    "archive in a folder": lambda at, parts: layouts.write_archive(at / "c.tar.gz", parts, "binary").parent,
}


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_same_arrays(layout, tmp_path):
    parts = layouts.make_parts()
    loaded = load_images(str(WRITERS[layout](tmp_path / "data", parts)))
    for found, expected in zip((loaded.train, loaded.test), parts, strict=True):
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert found.images.dtype == np.uint8
        assert found.labels.dtype == np.int64
        assert found.images.flags.writeable
    assert loaded.class_names == IMAGE_SETS["cifar10"].class_names
    assert loaded.fingerprint == fingerprint(parts[0].images, parts[0].labels, parts[1].images, parts[1].labels)
    assert loaded.optimum is None


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize(
    "options",
    [{}, {"compress": False}, {"compress": False, "pattern": "{part}-{what}.idx{axes}-ubyte"}],
    ids=["gz", "plain", "dots"],
)
def test_idx_files(dataset, options, tmp_path):
    parts = layouts.make_parts((28, 28, 1))
    loaded = load_images(str(layouts.write_idx(tmp_path, parts, **options)), dataset)
    np.testing.assert_array_equal(loaded.train.images, parts[0].images)
    np.testing.assert_array_equal(loaded.test.labels, parts[1].labels)
    assert loaded.class_names == IMAGE_SETS[dataset].class_names


def by_content(split):
    return sorted((int(label), image.tobytes()) for image, label in zip(split.images, split.labels, strict=True))


@pytest.mark.parametrize("outer", ["", "cifar10"])
def test_folder_per_class_with_parts(outer, tmp_path):
    parts = layouts.make_parts()
    layouts.write_folders(tmp_path / outer, parts)
    loaded = load_images(str(tmp_path))
    assert by_content(loaded.train) == by_content(parts[0])
    assert by_content(loaded.test) == by_content(parts[1])
    assert loaded.quirks == ("40 training and 20 test images, where the official release has 50,000 and 10,000",)


def test_folder_names_are_compared_by_letters_and_digits(tmp_path):
    parts = layouts.make_parts((28, 28, 1))
    names = ["T-shirt_top", "TROUSER", *IMAGE_SETS["fashion_mnist"].class_names[2:]]
    loaded = load_images(str(layouts.write_folders(tmp_path, parts, names)), "fashion_mnist")
    assert by_content(loaded.train) == by_content(parts[0])


def test_folders_without_parts_are_split_once_for_all(tmp_path):
    (everything, _) = layouts.make_parts(train=60)
    layouts.write_folders(tmp_path, (everything,), part_names=("",))
    loaded = load_images(str(tmp_path))
    assert (len(loaded.train), len(loaded.test)) == (50, 10)
    assert np.bincount(loaded.test.labels).tolist() == [1] * 10
    assert sorted(by_content(loaded.train) + by_content(loaded.test)) == by_content(everything)
    assert any("10 of 60 training images were set aside" in quirk for quirk in loaded.quirks)
    assert load_images(str(tmp_path), seed=9).fingerprint == loaded.fingerprint


def test_validation_folder_serves_as_test_and_other_classes_are_named(tmp_path):
    parts = layouts.make_parts()
    names = [f"bird {letter}" for letter in "abcdefghij"]
    loaded = load_images(str(layouts.write_folders(tmp_path, parts, names, ("train", "val"))))
    assert loaded.class_names == tuple(names)
    assert by_content(loaded.test) == by_content(parts[1])
    assert any("val serves as the test part" in quirk for quirk in loaded.quirks)
    assert any("not those of CIFAR-10" in quirk for quirk in loaded.quirks)


def test_pictures_of_any_classes_are_named_by_their_files(tmp_path):
    parts = layouts.make_parts()
    names = [f"bird {letter}" for letter in "abcdefghij"]
    loaded = load_images(str(layouts.write_folders(tmp_path / "named", parts, names)), PICTURES)
    assert loaded.class_names == tuple(names)
    assert loaded.quirks == ()
    layouts.write_parquet(tmp_path / "unnamed", parts, features=False)
    with pytest.raises(InputError, match="does not name its classes"):
        load_images(str(tmp_path / "unnamed"), PICTURES)
    with pytest.raises(InputError, match="the hub has no labelled pictures"):
        load_images("hub", PICTURES)


def test_kaggle_without_test_labels(tmp_path):
    (train, _) = layouts.make_parts(train=60)
    loaded = load_images(str(layouts.write_kaggle(tmp_path, train, unlabelled=3)))
    assert sorted(by_content(loaded.train) + by_content(loaded.test)) == by_content(train)
    assert len(loaded.test) == 10
    assert any("3 images in the folder test have no labels" in quirk for quirk in loaded.quirks)


def test_colour_becomes_grey_and_grey_colour(tmp_path):
    grey = layouts.make_parts((32, 32, 1))
    loaded = load_images(str(layouts.write_folders(tmp_path, grey)))
    assert loaded.train.images.shape == (40, 32, 32, 3)
    assert (loaded.train.images == loaded.train.images[..., :1]).all()


def test_sample_fits_the_data_set():
    loaded = load_images("sample", "mnist", seed=2)
    assert loaded.train.images.shape[1:] == (28, 28, 1)
    assert loaded.optimum["accuracy"] == 0.95
    assert "seed 2" in loaded.source
    assert loaded.fingerprint != load_images("sample", "mnist", seed=3).fingerprint


@pytest.fixture
def cached_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path / "cache"))
    return layouts.write_binary(tmp_path / "data", layouts.make_parts())


def test_second_load_decodes_nothing(cached_folder, monkeypatch):
    first = load_images(str(cached_folder))
    monkeypatch.setattr("dl_shared.data.image_batches._joined", lambda *_: pytest.fail("decoded again"))
    second = load_images(str(cached_folder))
    np.testing.assert_array_equal(first.train.images, second.train.images)
    assert second.fingerprint == first.fingerprint
    assert second.quirks == first.quirks


def test_changed_files_are_decoded_again(cached_folder):
    first = load_images(str(cached_folder))
    layouts.write_binary(cached_folder, layouts.make_parts(seed=1, train=50))
    second = load_images(str(cached_folder))
    assert len(second.train) == 50
    assert second.fingerprint != first.fingerprint


@pytest.mark.parametrize("victim", ["train_images.npy", "test_labels.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove"])
def test_damaged_cache_is_rebuilt(cached_folder, victim, damage):
    first = load_images(str(cached_folder))
    (stored,) = (cache_dir() / "images").glob(f"*/{victim}")
    raw = bytearray(stored.read_bytes())
    if damage == "remove":
        stored.unlink()
    else:
        raw[-3] ^= 0x55
        stored.write_bytes(raw[: len(raw) // 2] if damage == "cut" else raw)
    again = load_images(str(cached_folder))
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.train.images, first.train.images)
    (folder,) = (cache_dir() / "images").iterdir()
    assert image_cache._read(folder) is not None


def test_split_is_stratified_and_a_function_of_the_seed():
    labels = np.repeat(np.arange(4), (10, 20, 30, 2))
    mask = stratified_mask(labels, 0.1, seed=1)
    assert np.bincount(labels[mask]).tolist() == [1, 2, 3, 1]
    np.testing.assert_array_equal(mask, stratified_mask(labels, 0.1, seed=1))
    assert not np.array_equal(mask, stratified_mask(labels, 0.1, seed=2))
    with pytest.raises(InputError, match="single image"):
        stratified_mask(np.array([0, 0, 1]), 0.5, seed=0)


def test_rows_of_a_split_are_copies():
    part = Split(np.zeros((3, 2, 2, 1), np.uint8), np.arange(3))
    chosen = part.rows(np.array([2, 0]))
    chosen.images[:] = 1
    assert part.images.max() == 0
    assert chosen.labels.tolist() == [2, 0]


def pictures(n):
    labels = np.arange(n) % 10
    images = np.zeros((n, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(n)
    return Split(images, labels)


def numbers(split):
    return set(split.images[:, 0, 0, 0].tolist())


def test_a_share_of_labels_is_of_each_class_and_of_a_larger_share():
    few, times = with_labels(pictures(200), 0.1, seed=0)
    assert np.bincount(few.labels).tolist() == [2] * 10
    assert times == 10
    again, _ = with_labels(pictures(200), 0.1, seed=0)
    other, _ = with_labels(pictures(200), 0.1, seed=1)
    more, _ = with_labels(pictures(200), 0.5, seed=0)
    assert numbers(few) == numbers(again)
    assert numbers(few) != numbers(other)
    assert numbers(few) < numbers(more)
    assert with_labels(pictures(200), 1.0, seed=0)[1] == 1
