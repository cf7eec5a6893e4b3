"""The public source: what is on disk, then the hub, then mirrors; without a network one line, at once."""

import hashlib
import http.server
import threading
from dataclasses import replace
from functools import partial

import image_layouts as layouts
import numpy as np
import pytest

from dl_shared.data import image_hub, images
from dl_shared.data.download import DownloadError
from dl_shared.data.image_sets import IMAGE_SETS, Mirror
from dl_shared.errors import InputError


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """MNIST's four files, served locally and nowhere else."""
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path / "cache"))
    served = layouts.write_idx(tmp_path / "served", layouts.make_parts((28, 28, 1)))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        files = {file.name: hashlib.md5(file.read_bytes()).hexdigest() for file in sorted(served.iterdir())}
        base = f"http://127.0.0.1:{server.server_port}/"
        absent = Mirror("http://127.0.0.1:9/", files)
        spec = replace(IMAGE_SETS["mnist"], mirrors=(absent, Mirror(base + "wrong/", files), Mirror(base, files)))
        monkeypatch.setitem(images.IMAGE_SETS, "mnist", spec)
        monkeypatch.setattr(image_hub, "answering", lambda endpoints: {url for url in endpoints if base in url})
        yield base
        server.shutdown()
        thread.join()


def test_mirrors_are_tried_in_turn_and_said_aloud(mirror, capsys):
    loaded = images.load_images("hub", "mnist")
    np.testing.assert_array_equal(loaded.train.images, layouts.make_parts((28, 28, 1))[0].images)
    assert mirror in loaded.source
    assert "wrong/train-images" not in loaded.source
    assert "404" in capsys.readouterr().err


def test_once_fetched_no_network_is_needed(mirror, monkeypatch):
    first = images.load_images("hub", "mnist")
    monkeypatch.setattr(image_hub, "answering", lambda endpoints: pytest.fail("asked the network"))
    assert images.load_images("hub", "mnist").fingerprint == first.fingerprint


def test_the_hub_comes_first(mirror, tmp_path, monkeypatch):
    stored = layouts.write_idx(tmp_path / "hub", layouts.make_parts((28, 28, 1), seed=5))
    monkeypatch.setattr(image_hub, "answering", set)
    monkeypatch.setattr(image_hub, "_from_the_hub", lambda spec: stored)
    loaded = images.load_images("hub", "mnist")
    assert "Hugging Face hub, ylecun/mnist" in loaded.source
    np.testing.assert_array_equal(loaded.train.images, layouts.make_parts((28, 28, 1), seed=5)[0].images)


def test_a_failing_hub_leads_to_the_mirrors(mirror, monkeypatch, capsys):
    def fail(spec):
        raise DownloadError("429 Too Many Requests")

    monkeypatch.setattr(image_hub, "answering", set)
    monkeypatch.setattr(image_hub, "_from_the_hub", fail)
    monkeypatch.setattr("dl_shared.data.download.ATTEMPTS", 1)
    monkeypatch.setattr(image_hub, "download", partial(image_hub.download, attempts=1))
    assert mirror in images.load_images("hub", "mnist").source
    assert "429 Too Many Requests; trying the next place" in capsys.readouterr().err


def test_what_the_hub_left_half_done_is_not_taken_for_whole(tmp_path, monkeypatch):
    folder = layouts.write_parquet(tmp_path / "plain_text", layouts.make_parts())
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(tmp_path))
    spec = IMAGE_SETS["cifar10"]
    assert image_hub._stored_by_the_hub(spec) == tmp_path
    train = folder / "train-00000-of-00001.parquet"
    train.rename(folder / "train-00000-of-00002.parquet")
    assert image_hub._stored_by_the_hub(spec) is None
    (folder / "train-00000-of-00002.parquet").unlink()
    assert image_hub._stored_by_the_hub(spec) is None


@pytest.mark.parametrize("dataset", IMAGE_SETS)
def test_without_a_network_one_line_names_the_other_choices(dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
    with pytest.raises(InputError) as caught:
        images.load_images("hub", dataset)
    message = str(caught.value)
    assert "--data sample" in message
    assert "--data PATH" in message
    assert "\n" not in message
    assert not any((tmp_path / "downloads").glob("*/*"))


def test_a_silent_host_costs_a_few_seconds_at_most(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(image_hub, "PATIENCE", 0.2)
    released = threading.Event()
    monkeypatch.setattr(image_hub.requests, "head", lambda *_, **__: released.wait(30))
    monkeypatch.setattr(threading.Thread, "join", lambda self, timeout: None)
    assert image_hub.answering(["http://silent.invalid/"]) == set()
    released.set()
