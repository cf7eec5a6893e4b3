"""The parts of the picture model, all of them classes of diffusers and transformers, and the pipeline made of them.

Latent diffusion (Rombach et al. 2022, arXiv:2112.10752): an autoencoder makes pictures smaller, a U-Net takes noise
away from what it makes, step by step, and a text encoder tells it what to draw. Its pipeline is that of Stable
Diffusion.
"""

import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from dl_architectures.nlp.training.pictures.config import GROUPS, Config

START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
LONGEST = 16  # tokens of a prompt
NOISE_STEPS = 1000


def new_autoencoder(config: Config) -> Any:
    """Pictures from -1 to 1 to latents and back, with a little noise between (Kingma and Welling 2014)."""
    depth = len(config.autoencoder_widths)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        block_out_channels=config.autoencoder_widths,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=GROUPS,
        sample_size=32,
        mid_block_add_attention=False,
    )


def new_tokenizer(captions: list[str]) -> CLIPTokenizer:
    """CLIP's tokenizer with a token for each word of the captions; other words are spelled.

    Deterministic in the captions, as the trainer of the library tokenizers is not where words have an end mark: a
    training that goes on must find the numbers of its words again.
    """
    plain: Any = CLIPTokenizer(vocab={START: 0, END: 1}, merges=[]).backend_tokenizer
    words: set[str] = set()
    for caption in captions:
        words.update(word for word, _ in plain.pre_tokenizer.pre_tokenize_str(plain.normalizer.normalize_str(caption)))
    merges: Any = merges_of(words)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ended = [letter + WORD_END for letter in letters]
    tokens = dict.fromkeys([START, END, *letters, *ended, *map("".join, merges)])
    vocab = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=LONGEST)


def merges_of(words: Iterable[str]) -> list[tuple[str, str]]:
    """Byte-pair encoding (Sennrich et al. 2016, algorithm 1) until every word is one token; equals go by name."""
    parts = [[*word[:-1], word[-1] + WORD_END] for word in sorted(words)]
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for word in parts for pair in itertools.pairwise(word)):
        merges.append(min(pairs, key=lambda pair: (-pairs[pair], pair)))
        parts = [_merged(word, merges[-1]) for word in parts]
    return merges


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    """With every occurrence of the pair, from the left, made one."""
    made: list[str] = []
    for part in parts:
        if made and (made[-1], part) == pair:
            made[-1] += part
        else:
            made.append(part)
    return made


def new_text_encoder(config: Config, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """One layer of a Transformer over the words of a prompt."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_size,
            intermediate_size=2 * config.text_size,
            projection_dim=config.text_size,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=LONGEST,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_denoiser(config: Config) -> Any:
    """A U-Net on latents that looks at the words where it is coarsest."""
    fine = len(config.widths) - 1
    return UNet2DConditionModel(
        sample_size=32 // config.factor,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.widths,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * fine + ("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * fine,
        cross_attention_dim=config.text_size,
        attention_head_dim=4,  # the number of heads, as in Stable Diffusion 1's own configuration
        norm_num_groups=GROUPS,
    )


def new_scheduler() -> Any:
    """Deterministic steps (Song et al. 2021, DDIM) on a cosine schedule whose last step is noise alone.

    The network predicts velocity (Salimans and Ho 2022), which the last step needs (Lin et al. 2024, "Common diffusion
    noise schedules and sample steps are flawed").
    """
    return DDIMScheduler(
        num_train_timesteps=NOISE_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,  # of no effect on trailing steps; diffusers warns of another value
    )


def export(
    folder: Path,
    autoencoder: Any,
    text_encoder: Any,
    tokenizer: CLIPTokenizer,
    denoiser: Any,
) -> None:
    """Write the pipeline with weights in half precision, as diffusers reads it."""
    pipeline: Any = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=denoiser,
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
