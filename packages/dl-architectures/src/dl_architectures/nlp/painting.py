"""Pictures by a diffusion pipeline."""

import copy
import inspect
import io
import secrets
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dl_architectures.nlp.answers import PictureAnswer, Preview, Working
from dl_architectures.nlp.background import followed
from dl_architectures.nlp.engine import Engine, Outcome, Progress
from dl_architectures.nlp.names import MAX_SEED
from dl_architectures.nlp.requests import Picture, Request
from dl_shared.errors import InputError

Tell = Callable[[Preview | Working | None], None]

PREVIEW_SECONDS = 0.25  # from one preview to the next at least; a picture that is drawn sooner needs none
PREVIEW_SHARE = 0.1  # of the time, at most: a preview goes through the decoder, which may take longer than a step


class Painter(Engine):
    """A text-to-image pipeline of diffusers.

    Args:
        name: the model's id.
        pipeline: on its device.
    """

    def __init__(self, name: str, pipeline: Any) -> None:
        networks = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
        super().__init__(
            name, sum(param.numel() * param.element_size() for network in networks for param in network.parameters())
        )
        self.pipeline = pipeline
        self.options = inspect.signature(pipeline.__call__).parameters.keys()
        if "prompt" not in self.options:
            raise InputError(f"{name} draws from something else than words; choose another model")

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        """As declared. The networks are shared; the scheduler, and what else a pipeline remembers, is the answer's."""
        if not isinstance(request, Picture):
            raise InputError(f"{self.name} draws; choose another for this task")
        self._check_length(request.prompt)
        seed = secrets.randbelow(MAX_SEED + 1) if request.seed is None else request.seed

        def draw(tell: Tell) -> tuple[Any, bool]:
            return self._draw(request, seed, tell)

        drawn = yield from followed(draw, cancelled)
        if drawn is None:
            return Outcome(answer=None, cancelled=True)
        image, withheld = drawn
        answer = PictureAnswer(png=_png(image), width=image.width, height=image.height, seed=seed)
        notes = ("The model's safety checker withheld the picture; try another prompt or seed.",) if withheld else ()
        return Outcome(answer=answer, notes=notes)

    def _draw(self, request: Picture, seed: int, tell: Tell) -> tuple[Any, bool]:
        """The picture, and whether it was withheld."""
        pipeline = copy.copy(self.pipeline)
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
        pipeline.set_progress_bar_config(disable=True)
        due = time.monotonic() + PREVIEW_SECONDS

        def after_step(own: Any, step: int, _: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            nonlocal due
            done, start, png = step + 1, time.monotonic(), None
            if start >= due and done < request.steps:
                png = _preview(own, tensors["latents"])
                end = time.monotonic()
                due = end + max(PREVIEW_SECONDS, (end - start) * (1 / PREVIEW_SHARE - 1))
            if png is None:
                tell(Working(done=done, total=request.steps))
            else:
                tell(Preview(png=png, step=done, steps=request.steps))
            self.turns.pass_on()
            return tensors

        options = {
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance,
            "height": request.size,
            "width": request.size,
            "generator": torch.Generator().manual_seed(seed),
            "output_type": "pil",
            "callback_on_step_end": after_step,
        }
        with self.turns, torch.inference_mode():
            output = pipeline(request.prompt, **{name: options[name] for name in options if name in self.options})
        return output.images[0], any(getattr(output, "nsfw_content_detected", None) or ())

    def _check_length(self, prompt: str) -> None:
        tokenizer = getattr(self.pipeline, "tokenizer", None)
        if tokenizer is None:
            return
        tokens = len(tokenizer(prompt, verbose=False).input_ids)
        if tokens > tokenizer.model_max_length:
            raise InputError(
                f"the prompt has {tokens} tokens, and {self.name} reads {tokenizer.model_max_length}; shorten it"
            )


def _preview(pipeline: Any, latents: Tensor) -> bytes | None:
    """What has been drawn so far; None if the latents are in an order that only the pipeline knows."""
    if latents.ndim != 4:
        return None
    decoder = getattr(pipeline, "vae", None)
    if decoder is not None:
        shift = getattr(decoder.config, "shift_factor", None) or 0.0
        latents = decoder.decode(latents / decoder.config.scaling_factor + shift, return_dict=False)[0]
    return _png(pipeline.image_processor.postprocess(latents, output_type="pil")[0])


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
