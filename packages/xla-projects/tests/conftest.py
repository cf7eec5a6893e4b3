"""Shapes are checked at run time; every run trains on made-up prices, pictures and reviews, on one CPU device."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PJRT_DEVICE"] = "CPU"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # torch_xla would say 1, also to the processes that tests start
os.environ["OMP_NUM_THREADS"] = "1"  # threads only get in each other's way on models this small

import pytest
from jaxtyping import install_import_hook

install_import_hook(["xla_projects", "dl_shared"], "beartype.beartype")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    os.environ["DL_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _device_first():
    """A process that has gone backward on the host before the XLA runtime was there cannot do so on the device."""
    from xla_projects.config import XlaConfig
    from xla_projects.device import start_device

    start_device(XlaConfig(epochs=1, batch_size=1))


@pytest.fixture(scope="session")
def few_images(tmp_path_factory):
    """A folder of pictures of ten classes."""
    from dl_shared.testing import write_few_images  # not before the hook

    return write_few_images(tmp_path_factory.mktemp("few"))
