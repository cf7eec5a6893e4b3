"""Every test runs offline, with caches of its own, and with shapes checked at run time."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before the first Hugging Face import
# Models this small gain nothing from threads, and lose much where tests run side by side. Before torch is imported.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from jaxtyping import install_import_hook

install_import_hook(("dl_shared", "dl_architectures"), "beartype.beartype")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    os.environ["DL_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def few_images(tmp_path_factory):
    """A folder of pictures of ten classes."""
    from dl_shared.testing import write_few_images  # not before the hook

    return write_few_images(tmp_path_factory.mktemp("few"))


@pytest.fixture
def tool():
    """A tool that answers at once."""
    from fake_tool import FakeTool

    return FakeTool()


@pytest.fixture
def feedback(tmp_path):
    """A feedback database that nobody has used."""
    from dl_architectures.nlp_tool.feedback import Feedback

    opened = Feedback(f"sqlite:///{tmp_path / 'feedback.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def page(tool, feedback):
    """A function that opens a view of the page, in a new session unless one is given."""
    from nlp_pages import open_page

    from dl_architectures.nlp_tool import resources

    resources.configure(lambda: tool, lambda: feedback)
    return open_page
