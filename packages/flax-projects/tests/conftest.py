"""Shapes are checked at run time, and every run trains on a few small pictures made on the spot."""

import os
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"
# Many tests, and the processes they start, compile the same small programs: here each is compiled once.
os.environ["JAX_COMPILATION_CACHE_DIR"] = (_compiled := tempfile.TemporaryDirectory()).name
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import pytest
from jaxtyping import install_import_hook

install_import_hook(["flax_projects", "dl_shared"], "beartype.beartype")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    os.environ["DL_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def few_images(tmp_path_factory):
    """A folder of pictures of ten classes."""
    from dl_shared.testing import write_few_images  # not before the hook

    return write_few_images(tmp_path_factory.mktemp("few"))
