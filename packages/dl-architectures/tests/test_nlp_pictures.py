"""Pictures by a diffusion pipeline, tiny and untrained: what is asked of it is what it does."""

import io
import itertools
import shutil
from types import SimpleNamespace

import nlp_tools
import pytest
from PIL import Image

from dl_architectures.nlp import painting
from dl_architectures.nlp.answers import Finished, Preview, Working
from dl_architectures.nlp.hub import Hub
from dl_architectures.nlp.requests import Picture
from dl_architectures.nlp.tool import LocalTool
from dl_shared.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return nlp_tools.save_painter(tmp_path_factory.mktemp("pictures") / "painter")


@pytest.fixture(scope="module")
def tool(folder, tmp_path_factory):
    return LocalTool(roots=[folder.parent], device="cpu", hub=Hub(cache=tmp_path_factory.mktemp("hub")))


@pytest.fixture
def at_once(monkeypatch):
    """Drawing takes no time."""
    monkeypatch.setattr(painting, "time", SimpleNamespace(monotonic=lambda: 0.0))


def draw(tool, folder, request):
    *events, finished = tool.answer(request, model=str(folder))
    assert isinstance(finished, Finished)
    return [event for event in events if isinstance(event, Preview)], finished


def test_a_picture_is_drawn_before_ones_eyes_and_a_seed_draws_it_again(tool, folder, at_once, monkeypatch):
    monkeypatch.setattr(painting, "PREVIEW_SECONDS", 0.0)
    previews, first = draw(tool, folder, Picture(prompt="a cat", steps=4))
    assert [(preview.step, preview.steps) for preview in previews] == [(1, 4), (2, 4), (3, 4)]
    assert len({preview.png for preview in previews}) == 3
    picture = Image.open(io.BytesIO(first.answer.png))
    assert picture.size == (first.answer.width, first.answer.height) == (16, 16)
    assert picture.format == "PNG"
    _, again = draw(tool, folder, Picture(prompt="a cat", steps=4, seed=first.answer.seed))
    assert again.answer == first.answer
    _, other = draw(tool, folder, Picture(prompt="a cat", steps=4, seed=first.answer.seed ^ 1))
    assert other.answer.png != first.answer.png


def test_a_picture_that_is_soon_there_is_the_same_without_previews(tool, folder, at_once, monkeypatch):
    request = Picture(prompt="a cat", steps=4, seed=3)
    *events, finished = tool.answer(request, model=str(folder))
    told = [(event.done, event.total) for event in events if isinstance(event, Working)]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    monkeypatch.setattr(painting, "PREVIEW_SECONDS", 0.0)
    previews, seen = draw(tool, folder, request)
    assert len(previews) == 3
    assert seen.answer == finished.answer


def test_previews_take_a_tenth_of_the_time_however_slow_the_decoder_is(tool, folder, monkeypatch):
    """Here a preview takes as long as a step: a second passes whenever somebody looks at the clock."""
    monkeypatch.setattr(painting, "time", SimpleNamespace(monotonic=itertools.count().__next__))
    previews, _ = draw(tool, folder, Picture(prompt="a cat", steps=40))
    steps = [preview.step for preview in previews]
    assert len(steps) > 1
    assert all(after - before >= 9 for before, after in itertools.pairwise(steps))


def test_the_list_tells_how_large_a_model_draws(tool):
    models = {model.title: model for model in tool.models("image")}
    assert models["painter"].pixels == 16
    assert models["Small picture model (embedded)"].pixels == 32


def test_the_size_that_is_asked_for_is_drawn(tool, folder):
    _, finished = draw(tool, folder, Picture(prompt="a cat", steps=1, size=32))
    assert Image.open(io.BytesIO(finished.answer.png)).size == (32, 32)


def test_two_sessions_draw_side_by_side_and_do_not_mix(tool, folder):
    requests = [
        Picture(prompt="a cat", steps=steps, guidance=guidance, seed=3) for steps, guidance in ((6, 1.0), (9, 7.0))
    ]
    alone = [draw(tool, folder, request)[1].answer for request in requests]
    streams = [tool.answer(request, model=str(folder)) for request in requests]
    answers = []
    while streams:
        for stream in list(streams):
            event = next(stream)
            if isinstance(event, Finished):
                streams.remove(stream)
                answers.append(event.answer)
    assert sorted(answer.png for answer in answers) == sorted(answer.png for answer in alone)


def test_a_picture_can_be_stopped(tool, folder):
    seen = []
    events = tool.answer(Picture(prompt="a cat", steps=100), model=str(folder), cancelled=lambda: len(seen) >= 2)
    for event in events:
        seen.append(event)
    assert seen[-1].cancelled
    assert seen[-1].answer is None
    draw(tool, folder, Picture(prompt="a dog", steps=1))  # nobody is held up


def test_a_part_without_its_description_is_not_made_up(tool, folder):
    lacking = shutil.copytree(folder, tool.roots[0] / "lacking")
    (lacking / "text_encoder" / "config.json").unlink()
    with pytest.raises(InputError, match=r"text_encoder/config.json does not exist"):
        list(tool.answer(Picture(prompt="a cat"), model=str(lacking)))
    shutil.rmtree(lacking)


def test_a_prompt_longer_than_the_model_reads_is_refused(tool, folder):
    with pytest.raises(InputError, match=r"the prompt has \d+ tokens, and .* reads 77; shorten it"):
        draw(tool, folder, Picture(prompt="a cat " * 40))
