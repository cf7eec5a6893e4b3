"""Tiny models in the layouts of transformers and diffusers, made on the spot."""

from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from dl_architectures.nlp import catalogue

TEXTS = [
    "the film is good and the actors are wonderful",
    "the film is bad and the story is dull",
    "a cat sat on the mat . the dog ran to the house , and the cat slept .",
    "who made the film ? the film was made by ann smith in 1999 .",
    "summarize: héllo wörld 日本 ünïcode",
] * 3
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def byte_tokenizer(longest: int = 128) -> transformers.PreTrainedTokenizerFast:
    """Byte-pairs of `TEXTS`; every text can be written in them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=SPECIAL[3:],
        model_max_length=longest,
    )


def pair_tokenizer(longest: int = 64) -> transformers.PreTrainedTokenizerFast:
    """The same, with BERT's frame around one or two texts."""
    tokenizer = byte_tokenizer(longest)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return tokenizer


def save_language_model(folder: Path, *, longest: int = 128, chat: bool = True, seed: int = 0) -> Path:
    """A Llama of two small layers, untrained."""
    torch.manual_seed(seed)
    tokenizer = byte_tokenizer(longest)
    if chat:
        tokenizer.chat_template = CHAT
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=longest,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=[2, 6],
    )
    return _save(folder, transformers.LlamaForCausalLM(config), tokenizer)


def _bert(tokenizer: transformers.PreTrainedTokenizerFast, **options: object) -> transformers.BertConfig:
    return transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        **options,
    )


def save_classifier(folder: Path) -> Path:
    """A BERT that tells positive from negative, untrained."""
    torch.manual_seed(0)
    tokenizer = pair_tokenizer()
    config = _bert(tokenizer, id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1})
    return _save(folder, transformers.BertForSequenceClassification(config), tokenizer)


def save_question_reader(folder: Path) -> Path:
    """A BERT that points at answers, untrained."""
    torch.manual_seed(0)
    tokenizer = pair_tokenizer()
    return _save(folder, transformers.BertForQuestionAnswering(_bert(tokenizer)), tokenizer)


def save_summariser(folder: Path) -> Path:
    """A T5, untrained."""
    torch.manual_seed(0)
    tokenizer = pair_tokenizer()
    config = transformers.T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        pad_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=0,
        task_specific_params={"summarization": {"prefix": "summarize: "}},
    )
    return _save(folder, transformers.T5ForConditionalGeneration(config), tokenizer)


def save_painter(folder: Path) -> Path:
    """A latent diffusion pipeline for pictures of 16 pixels, untrained."""
    import diffusers

    torch.manual_seed(0)
    vocab = {token: n for n, token in enumerate(["<|startoftext|>", "<|endoftext|>", *map(chr, range(33, 127))])}
    vocab |= {f"{token}</w>": len(vocab) + n for n, token in enumerate(map(chr, range(33, 127)))}
    pipeline = diffusers.StableDiffusionPipeline(
        vae=diffusers.AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4),
        text_encoder=transformers.CLIPTextModel(
            transformers.CLIPTextConfig(vocab_size=len(vocab), hidden_size=16, intermediate_size=32,
                num_hidden_layers=1, num_attention_heads=2, bos_token_id=0, eos_token_id=1, pad_token_id=1)
        ),
        tokenizer=transformers.CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77),
        unet=diffusers.UNet2DConditionModel(sample_size=8, block_out_channels=(8, 16), norm_num_groups=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=16, attention_head_dim=4,
            layers_per_block=1),
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),  # of others, diffusers warns
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def lack_embedded_models(monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Path]:
    """Make this an installation without weights; returns where each model is then looked for."""
    lacking = {id: folder / real.name for id, real in catalogue.FOLDERS.items()}
    monkeypatch.setattr(catalogue, "FOLDERS", lacking)
    return lacking


def _save(folder: Path, network: transformers.PreTrainedModel, tokenizer: transformers.PreTrainedTokenizerFast) -> Path:
    network.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
