"""Shapes are checked at run time, and every run trains on a few small pictures made here."""

import io
import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = "1"  # threads only get in each other's way on models this small

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jaxtyping import install_import_hook
from PIL import Image

install_import_hook(["lightning_projects", "dl_shared"], "beartype.beartype")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    os.environ["DL_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


def write_images(file, images, labels):
    """The hub's layout: one struct of encoded bytes and path per image."""
    cells = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    pq.write_table(pa.table({"img": cells, "label": pa.array(labels, pa.int64())}), file)


@pytest.fixture(scope="session")
def few_images(tmp_path_factory):
    """A folder of 220 training and 60 test images, whose class is their brightness."""
    folder = tmp_path_factory.mktemp("few")
    rng = np.random.default_rng(0)
    for part, n in (("train", 220), ("test", 60)):
        labels = np.arange(n) % 10
        noise = rng.integers(0, 40, size=(n, 32, 32, 3))
        images = (noise + 20 * labels[:, None, None, None]).astype(np.uint8)
        write_images(folder / f"{part}-00000-of-00001.parquet", images, labels)
    return folder
