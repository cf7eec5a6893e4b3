"""A tool that answers at once, in place of models: it keeps `dl_architectures.nlp.api.Tool`."""

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from dl_architectures.nlp import answers, names, requests
from dl_architectures.nlp.api import Memory, Model, ModelError, never
from dl_shared.errors import InputError

HUB_MODEL = "someone/larger-model"


def png(grey):
    """A small picture of one shade."""
    file = io.BytesIO()
    Image.new("L", (8, 8), grey).save(file, "PNG")
    return file.getvalue()


@dataclass
class FakeTool:
    """See `api.Tool`.

    Attributes:
        says: what it answers to everything that is answered in words.
        fails: the message with which its models fail, if they are to.
        before_pieces: called before each piece; a test may stop the answer there.
        asked: the requests that it was asked, with the models.
        online: whether it reaches the hub.
        pixels: of its models' pictures, as it lists them.
    """

    says: str = "and they lived happily"
    fails: Exception | None = None
    before_pieces: object = never
    asked: list = field(default_factory=list)
    online: bool = True
    here: set = field(default_factory=set)
    roots: tuple = (Path("/models"),)
    pixels: int | None = None

    def models(self, task=None):
        found = [
            Model(
                id=id_,
                source="embedded",
                tasks=(each,),
                title=f"Small model for {names.TITLES[each]}",
                small=True,
                pixels=self.pixels,
            )
            for each, id_ in names.EMBEDDED.items()
        ]
        found.append(self._hub_model())
        return tuple(model for model in found if task is None or task in model.tasks)

    def _hub_model(self):
        return Model(
            id=HUB_MODEL, source="hub", tasks=("generate", "chat"), title="Larger model", about="Writes *well*.",
            licence="apache-2.0", bytes=250_000_000, ready=HUB_MODEL in self.here,
        )  # fmt: skip

    def answer(self, request, *, model=None, cancelled=never):
        self.asked.append((request, model))
        yield answers.Loading(text="Reading the model", share=0.5)
        if self.fails is not None:
            raise self.fails
        answer = self._answer(request)
        if isinstance(answer, answers.TextAnswer):
            for piece in self.says.split(" "):
                self.before_pieces()
                yield answers.Piece(text=piece + " ")
        if isinstance(answer, answers.PictureAnswer):
            for step in range(1, 4):
                self.before_pieces()
                yield answers.Preview(png=png(20 * step), step=step, steps=3)
        yield answers.Finished(answer=answer, model=model, seconds=0.01, notes=("Read *all* of it.",))

    def _answer(self, request):
        match request:
            case requests.NextWord():
                words = ((" **end**", 0.5), (" <i>x", 0.25))
                return answers.NextWordAnswer(
                    words=tuple(answers.Candidate(text=text, probability=p) for text, p in words)
                )
            case requests.Generate() | requests.Chat():
                return answers.TextAnswer(text=self.says + " ", tokens=4, seed=7)
            case requests.Sentiment(text=text):
                weight = answers.Weight(start=0, end=min(4, len(text)), value=1.5)
                return answers.SentimentAnswer(
                    label="positive", confidence=0.9, probabilities=(("positive", 0.9), ("negative", 0.1)),
                    weights=(weight,),
                )  # fmt: skip
            case requests.Question(context=context):
                found = not context.startswith("Bees")
                return answers.QuestionAnswer(found=found, text=context[4:9], start=4, end=9, score=0.75)
            case requests.Summarise(text=text):
                return answers.SummaryAnswer(text=text[:20], spans=((0, 20),), parts=2)
            case requests.Picture():
                return answers.PictureAnswer(png=png(200), width=8, height=8, seed=11)

    def look_up(self, hub_id):
        if not self.online:
            raise InputError("the hub cannot be reached; see whether there is a network")
        return replace(self._hub_model(), id=hub_id)

    def download(self, hub_id, *, cancelled=never):
        yield answers.Loading(text="weights.safetensors", share=0.5)
        if not self.online:
            raise ModelError("the network is gone; what was fetched stays")
        self.here.add(hub_id)
        yield answers.Loading(text="weights.safetensors", share=1.0)

    def remove(self, hub_id):
        self.here.remove(hub_id)
        return 250_000_000

    def memory(self):
        return Memory(models=((names.SENTIMENT_MODEL, 4_000_000), (names.SUMMARY_METHOD, 0)), budget=8_000_000_000)
