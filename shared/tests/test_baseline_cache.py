"""Paid for once, and again only when it has to be."""

import re

import numpy as np
import pytest

from dl_shared.baselines.cache import cached
from dl_shared.files import cache_dir


class Counter:
    """A baseline that counts how often it is computed."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"probabilities": np.eye(3, dtype=np.float32), "names": np.array(["a", "bc"]), "score": np.float64(0.5)}


def test_second_call_reads_the_file():
    compute = Counter()
    first, second = (cached("counter", "a" * 64, compute) for _ in range(2))
    assert compute.calls == 1
    assert first.keys() == second.keys()
    for key in first:
        assert first[key].dtype == second[key].dtype
        np.testing.assert_array_equal(first[key], second[key])


def test_other_data_name_or_version_is_computed_anew():
    compute = Counter()
    cached("counter", "b" * 64, compute)
    cached("counter", "c" * 64, compute)
    cached("other", "b" * 64, compute)
    cached("counter", "b" * 64, compute, version=2)
    assert compute.calls == 4


def other_compression(raw):
    """Each member says that it is compressed by a method that there is none of."""
    changed = bytearray(raw)
    for signature, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        for found in re.finditer(re.escape(signature), raw):
            changed[found.start() + place] = 99
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[: len(raw) // 2], lambda raw: b"", lambda raw: b"not a zip" * 9, other_compression],
)
def test_damaged_file_is_computed_again_and_mended(damage):
    compute = Counter()
    cached("damaged", "d" * 64, compute)
    (path,) = (cache_dir() / "baselines").glob("damaged-*.npz")
    path.write_bytes(damage(path.read_bytes()))
    expected = compute.calls + 1
    for _ in range(2):
        np.testing.assert_array_equal(cached("damaged", "d" * 64, compute)["probabilities"], np.eye(3))
    assert compute.calls == expected
    path.unlink()


def test_objects_are_refused():
    with pytest.raises(ValueError, match="objects: bad"):
        cached("objects", "e" * 64, lambda: {"bad": np.array([{}], dtype=object)})
