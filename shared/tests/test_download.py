"""Downloads against a server that breaks off, lies, ignores ranges, and is busy."""

import hashlib
import http.server
import threading

import numpy as np
import pytest
import requests

from dl_shared.data import download as module
from dl_shared.data.download import DownloadError, download

CONTENT = np.random.default_rng(0).bytes(700_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as `server.behaviour` says, and writes down what was asked."""

    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        behaviour = self.server.behaviours.pop(0) if self.server.behaviours else "serve"
        content = self.server.content
        if isinstance(behaviour, int):
            self.send_error(behaviour)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if behaviour in ("ignore range", "ignore range and break off"):
            start = 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: len(body) // 2] if "break off" in behaviour else body)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.behaviours, server.ranges, server.content = [], [], CONTENT
        server.url = f"http://127.0.0.1:{server.server_port}/file.bin"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "file.bin"


def fetch(server, target, **options):
    return download(server.url, target, **{"md5": MD5, "pause": 0.0, **options})


def test_fetches_once(server, target):
    assert fetch(server, target) == target
    assert target.read_bytes() == CONTENT
    assert fetch(server, target) == target
    assert server.ranges == [None]
    assert [file.name for file in target.parent.iterdir()] == ["file.bin"]


def test_resumes_where_the_connection_broke(server, target):
    server.behaviours = ["break off", "break off"]
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    starts = [int(asked[6:-1]) for asked in server.ranges[1:]]
    assert server.ranges[0] is None
    assert len(starts) == 2
    assert 0 <= len(CONTENT) // 2 - starts[0] < module.CHUNK
    assert starts[0] < starts[1] < len(CONTENT)


def test_a_later_call_resumes_too(server, target):
    server.behaviours = ["break off"]
    with pytest.raises(DownloadError, match="goes on where it stopped"):
        fetch(server, target, attempts=1)
    assert not target.exists()
    kept = (target.parent / "file.bin.part").stat().st_size
    assert 0 <= len(CONTENT) // 2 - kept < module.CHUNK
    fetch(server, target, attempts=1)
    assert target.read_bytes() == CONTENT
    assert server.ranges[1] == f"bytes={kept}-"


def test_progress_earns_patience(server, target):
    server.behaviours = ["break off"] * 4
    fetch(server, target, attempts=2)
    assert target.read_bytes() == CONTENT


def test_starts_again_when_the_server_ignores_ranges(server, target):
    server.behaviours = ["break off", "ignore range and break off", "ignore range"]
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.ranges) == 3


def test_wrong_bytes_are_thrown_away(server, target):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DownloadError, match=f"expected {MD5}"):
        fetch(server, target)
    assert list(target.parent.iterdir()) == []
    server.content = CONTENT
    fetch(server, target)
    assert server.ranges == [None, None]


def test_part_of_an_older_file_is_noticed_by_its_checksum(server, target):
    target.parent.mkdir()
    (target.parent / "file.bin.part").write_bytes(b"old" * 1000)
    with pytest.raises(DownloadError, match="damaged or was replaced"):
        fetch(server, target)
    fetch(server, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("longer", [0, 10])
def test_part_that_is_whole_or_too_long(server, target, longer):
    target.parent.mkdir()
    (target.parent / "file.bin.part").write_bytes(CONTENT + b"x" * longer)
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_missing_file_is_not_asked_for_again(server, target):
    server.behaviours = [404, 404]
    with pytest.raises(DownloadError, match="the server answers 404 Not Found"):
        fetch(server, target)
    assert len(server.ranges) == 1
    assert list(target.parent.iterdir()) == []


def test_busy_server_is_asked_again(server, target):
    server.behaviours = [503, 429, 500]
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    server.behaviours = [503] * 3
    with pytest.raises(DownloadError, match="503"):
        download(server.url, target.with_name("other"), attempts=3, pause=0.0)


def test_no_server_is_one_line(target):
    with pytest.raises(DownloadError, match="no connection to the server") as caught:
        download("http://127.0.0.1:9/file.bin", target, attempts=2, pause=0.0)
    assert "\n" not in str(caught.value)
    with pytest.raises(DownloadError, match="cannot be fetched"):
        download("nonsense", target, attempts=1)


def test_without_a_checksum_the_length_decides(server, target):
    server.behaviours = ["break off"]
    fetch(server, target, md5=None)
    assert target.read_bytes() == CONTENT


def test_two_at_once_do_not_mix(server, target, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1000)
    threads = [threading.Thread(target=fetch, args=(server, target)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert [file.name for file in target.parent.iterdir()] == ["file.bin"]
    assert len(server.ranges) == 1


def test_a_full_disk_is_not_mistaken_for_a_broken_connection(server, target, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(requests.Response, "iter_content", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(server, target)
