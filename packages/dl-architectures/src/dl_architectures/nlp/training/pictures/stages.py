"""What is trained, one after the other: the autoencoder, then the denoiser with its text encoder."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor, nn
from transformers import CLIPTokenizer

from dl_architectures.nlp.training.loop import run_steps
from dl_architectures.nlp.training.pictures import networks
from dl_architectures.nlp.training.pictures.captions import Data, captions, captions_of
from dl_architectures.nlp.training.pictures.config import Config
from dl_shared.data.draws import Draws
from dl_shared.errors import InputError
from dl_shared.runs import Run

KL_WEIGHT = 1e-4  # in the autoencoder's loss: enough to keep latents from drifting apart, too little to blur
VALIDATED = 512  # pictures of the test part that the log's figures are of
BATCH = 256  # pictures at once where nothing is learned
AUTOENCODER, DENOISER = 1, 2  # streams of random numbers


def to_network(images: UInt8[np.ndarray, "n 32 32 3"], device: torch.device) -> Float[Tensor, "n 3 32 32"]:
    """Pixels from -1 to 1."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def generator(*numbers: int) -> torch.Generator:
    """Random numbers that follow from some numbers: the seed, what they are for, the step."""
    (state,) = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) >> 1)


def autoencoder_loss(model: Any, images: Float[Tensor, "n 3 32 32"], noise: torch.Generator) -> Tensor:
    """Mean distance of the pixels, and how far the latents are from a standard normal distribution."""
    latents = model.encode(images).latent_dist
    sample = latents.mean + latents.std * torch.randn(latents.mean.shape, generator=noise).to(images.device)
    restored = model.decode(sample).sample
    return (restored.float() - images).abs().mean() + KL_WEIGHT * latents.kl().float().mean() / sample[0].numel()


def fit_autoencoder(config: Config, data: Data, run: Run, device: torch.device) -> tuple[Any, float]:
    """Train it, and set the factor by which latents are scaled to a deviation of 1; returns it and the seconds."""
    torch.manual_seed(config.seed)
    model = networks.new_autoencoder(config).to(device)
    draws = Draws(len(data.train), config.batch_size, config.seed)
    if not draws.steps_per_epoch:
        raise InputError(f"there are {len(data.train)} pictures; --batch-size {config.batch_size} asks for more")

    def loss_of(step: int) -> Tensor:
        epoch, place = divmod(step, draws.steps_per_epoch)
        rows = draws.batch(epoch, place) % len(data.train)
        images = to_network(data.train.images[rows], device)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            return autoencoder_loss(model, images, generator(config.seed, AUTOENCODER, step))

    def validate() -> dict[str, float]:
        return {"psnr": signal_to_noise(model, some_of(data.test.images), device)}

    seconds = run_steps(
        run,
        "autoencoder",
        model,
        config,
        steps=config.autoencoder_steps,
        epoch_steps=draws.steps_per_epoch,
        loss_of=loss_of,
        validate=validate,
        splits=("autoencoder", "autoencoder validation"),
    )
    deviation = encode(model, some_of(data.train.images), device).std()
    model.register_to_config(scaling_factor=float(1 / deviation))
    return model.eval().requires_grad_(False), seconds


def some_of(rows: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "some ..."]:
    """A few pictures, or their labels, evenly from all of them."""
    return rows[:: max(1, len(rows) // VALIDATED)]


@torch.inference_mode()
def encode(
    model: Any, images: UInt8[np.ndarray, "n 32 32 3"], device: torch.device
) -> Float[Tensor, "n channels height width"]:
    """The latents' means, in half precision on the CPU, not yet scaled."""
    parts = [
        model.encode(to_network(images[first : first + BATCH], device)).latent_dist.mean.half().cpu()
        for first in range(0, len(images), BATCH)
    ]
    return torch.cat(parts)


@torch.inference_mode()
def signal_to_noise(model: Any, images: UInt8[np.ndarray, "n 32 32 3"], device: torch.device) -> float:
    """Peak signal-to-noise ratio of pictures that went through the autoencoder, in decibels: `10 log10(4 / mse)`."""
    pixels = to_network(images, device)
    restored = model.decode(model.encode(pixels).latent_dist.mean).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (restored - pixels).square().mean()))


class Drawer(nn.Module):
    """The denoiser and its text encoder, with the running average of both."""

    def __init__(self, config: Config, tokenizer: CLIPTokenizer) -> None:
        super().__init__()
        self.learned = nn.ModuleDict(
            {"text_encoder": networks.new_text_encoder(config, tokenizer), "denoiser": networks.new_denoiser(config)}
        )
        self.average = copy.deepcopy(self.learned).requires_grad_(False)

    @torch.no_grad()
    def follow(self, decay: float, step: int) -> None:
        """Move the average towards the weights; sooner at the beginning, where they change most."""
        share = 1 - min(decay, (1 + step) / (10 + step))
        for kept, new in zip(self.average.parameters(), self.learned.parameters(), strict=True):
            kept.lerp_(new, share)


def fit_drawer(
    config: Config, data: Data, autoencoder: Any, run: Run, device: torch.device
) -> tuple[Drawer, CLIPTokenizer, float]:
    """Train denoiser and text encoder on the latents; returns them, the tokenizer and the seconds."""
    tokenizer = networks.new_tokenizer([caption for thing in data.things for caption in captions_of(thing)])
    torch.manual_seed(config.seed)
    model = Drawer(config, tokenizer).to(device)
    draws = Draws(len(data.train), config.batch_size, config.seed)
    latents, tested = (
        encode(autoencoder, images, device) * autoencoder.config.scaling_factor
        for images in (data.train.images, some_of(data.test.images))
    )
    tested_labels = some_of(data.test.labels)
    loss = make_denoising_loss(model, tokenizer, device)

    def loss_of(step: int) -> Tensor:
        epoch, place = divmod(step, draws.steps_per_epoch)
        numbers = draws.batch(epoch, place)
        rows = numbers % len(data.train)
        random = generator(config.seed, DENOISER, step)
        said = captions(data.things, data.train.labels[rows], config.seed, numbers)
        silent = (torch.rand(len(said), generator=random) < config.unconditional).tolist()
        words = ["" if without else caption for caption, without in zip(said, silent, strict=True)]
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            return loss(latents[rows].float().to(device), words, random)

    @torch.inference_mode()
    def validate() -> dict[str, float]:
        words = captions(data.things, tested_labels, config.seed, np.arange(len(tested_labels)))
        return {"loss": float(loss(tested.float().to(device), words, generator(config.seed, DENOISER)))}

    seconds = run_steps(
        run,
        "drawer",
        model,
        config,
        steps=config.epochs * draws.steps_per_epoch,
        epoch_steps=draws.steps_per_epoch,
        loss_of=loss_of,
        validate=validate,
        after_step=lambda step: model.follow(config.average_decay, step),
        first=config.autoencoder_steps,
    )
    return model.eval(), tokenizer, seconds


def make_denoising_loss(
    model: Drawer, tokenizer: CLIPTokenizer, device: torch.device
) -> Callable[[Float[Tensor, "n channels height width"], list[str], torch.Generator], Tensor]:
    """The mean squared error of the velocity at random times, as a function of latents, words and random numbers."""
    scheduler = networks.new_scheduler()
    text_encoder, denoiser = model.learned["text_encoder"], model.learned["denoiser"]

    def loss(latents: Tensor, words: list[str], random: torch.Generator) -> Tensor:
        noise = torch.randn(latents.shape, generator=random).to(device)
        times = torch.randint(networks.NOISE_STEPS, (len(latents),), generator=random).to(device)
        ids: Int[Tensor, "n tokens"] = tokenizer(
            words, padding="max_length", truncation=True, max_length=networks.LONGEST, return_tensors="pt"
        ).input_ids.to(device)
        noisy = scheduler.add_noise(latents, noise, times)
        target = scheduler.get_velocity(latents, noise, times)
        predicted = denoiser(noisy, times, text_encoder(ids)[0]).sample
        return F.mse_loss(predicted.float(), target)

    return loss
