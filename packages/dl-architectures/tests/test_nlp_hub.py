"""Models from a hub: a small one of our own, on this machine, so that no test needs the network."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import huggingface_hub.constants
import nlp_tools
import pytest

from dl_architectures.nlp.answers import Finished
from dl_architectures.nlp.hub import Hub, wanted_weights
from dl_architectures.nlp.requests import NextWord
from dl_architectures.nlp.tool import LocalTool
from dl_shared.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BLOCK = 1024


class Repositories(BaseHTTPRequestHandler):
    """The part of the hub's interface that a download needs."""

    folders: dict[str, Path]
    gate: threading.Event
    served: list[str]

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def log_message(self, *_): ...

    def _answer(self):
        path = unquote(urlparse(self.path).path)
        owner, model, *rest = path.removeprefix("/api/models").strip("/").split("/")
        folder = self.folders.get(f"{owner}/{model}")
        if folder is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path.startswith("/api/models/"):
            self._describe(folder, rest)
        else:
            self._send(folder.joinpath(*rest[2:]))

    def _describe(self, folder, rest):
        files = [file for file in folder.iterdir() if file.is_file()]
        if rest[:1] == ["tree"]:
            value = [
                {
                    "type": "file",
                    "path": f.name,
                    "size": f.stat().st_size,
                    "oid": hashlib.sha1(f.read_bytes()).hexdigest(),
                }
                for f in files
            ]
        else:
            config = json.loads((folder / "config.json").read_text())
            value = {
                "id": f"{folder.parent.name}/{folder.name}",
                "sha": COMMIT,
                "siblings": [{"rfilename": file.name, "size": file.stat().st_size} for file in files],
                "config": {name: config[name] for name in ("architectures", "model_type")},
                "cardData": {"license": "apache-2.0"},
                "tags": [],
                "downloads": 0,
                "private": False,
            }
        self._body(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, file):
        data = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if self.command == "GET":
            self.served.append(file.name)
        self._body(data, headers, slowly=file.suffix == ".safetensors")

    def _body(self, data, headers, slowly=False):
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(data), BLOCK):
                if slowly and start == BLOCK:
                    self.gate.wait(20)
                self.wfile.write(data[start : start + BLOCK])


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one sound model, `small/writer`, and one whose weights would have to be unpickled."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    sound = nlp_tools.save_language_model(tmp_path / "small" / "writer")
    pickled = nlp_tools.save_language_model(tmp_path / "small" / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    (sound / "pytorch_model.bin").write_bytes(b"not to be fetched")
    gate = threading.Event()
    gate.set()
    handler = type("Handler", (Repositories,), {
        "folders": {"small/writer": sound, "small/pickled": pickled}, "gate": gate, "served": []
    })  # fmt: skip
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        handler.address = f"http://127.0.0.1:{server.server_port}"
        yield handler
        server.shutdown()


@pytest.fixture
def tool(hub, tmp_path):
    return LocalTool(device="cpu", hub=Hub(cache=tmp_path / "cache", endpoint=hub.address))


def test_a_model_is_described_fetched_used_and_removed(tool, hub):
    described = tool.look_up("small/writer")
    assert (described.licence, described.tasks, described.ready) == (
        "apache-2.0",
        ("next-word", "generate", "chat"),
        False,
    )
    with pytest.raises(InputError, match="fetch it with: dl-nlp-tool models download small/writer"):
        list(tool.answer(NextWord(text="the"), model="small/writer"))
    events = list(tool.download("small/writer"))
    assert [event.share for event in events][-1] == 1.0
    assert "pytorch_model.bin" not in hub.served
    assert described.bytes == sum((hub.folders["small/writer"] / name).stat().st_size for name in hub.served)

    here = next(model for model in tool.models("chat") if model.id == "small/writer")
    assert (here.ready, here.source) == (True, "hub")
    assert isinstance(list(tool.answer(NextWord(text="the"), model="small/writer"))[-1], Finished)
    assert "small/writer" in dict(tool.memory().models)

    assert tool.remove("small/writer") >= (hub.folders["small/writer"] / "model.safetensors").stat().st_size
    assert "small/writer" not in dict(tool.memory().models)
    assert not any(model.id == "small/writer" for model in tool.models())
    with pytest.raises(InputError, match="small/writer is not on this machine"):
        tool.remove("small/writer")


def test_a_download_tells_how_far_it_is_and_can_be_stopped_and_repeated(tool, hub):
    hub.gate.clear()
    seen = []
    for event in tool.download("small/writer", cancelled=lambda: "model.safetensors" in hub.served):
        seen.append(event)
    assert seen[1].share == 0.0
    assert all(event.share is None or event.share < 1 for event in seen)
    assert not any(model.id == "small/writer" for model in tool.models())
    hub.gate.set()
    assert list(tool.download("small/writer"))[-1].share == 1.0
    assert next(model for model in tool.models("chat") if model.id == "small/writer").ready


def test_what_cannot_be_fetched_is_refused_with_the_reason(tool, hub, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="small/pickled has no weights as safetensors; weights that run code"):
        list(tool.download("small/pickled"))
    with pytest.raises(InputError, match="the hub has no model small/nothing, or keeps it private"):
        tool.look_up("small/nothing")
    with pytest.raises(InputError, match="'a/b/c' is no id of a model on the hub"):
        tool.look_up("a/b/c")
    away = LocalTool(hub=Hub(cache=tmp_path / "cache", endpoint="http://127.0.0.1:9"))
    with pytest.raises(InputError, match="the hub cannot be reached"):
        away.look_up("small/writer")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set, so that the hub is not asked"):
        list(tool.download("small/writer"))
    assert hub.served == []


def test_of_several_forms_of_weights_one_is_fetched():
    names = [
        "config.json",
        "model.safetensors",
        "model.fp32.safetensors",
        "onnx/model.safetensors",
        "pytorch_model.bin",
    ]
    assert wanted_weights(names) == ["model.safetensors"]
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    assert wanted_weights(["config.json", *shards, "model.safetensors.index.json"]) == shards
    pipeline = [
        "model_index.json",
        "big.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.fp16.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ]
    assert wanted_weights(pipeline) == [pipeline[2], pipeline[5]]
