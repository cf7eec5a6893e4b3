"""The models that are offered: those in the package, and a small and a large one of the hub for each task."""

import shlex
from pathlib import Path

from dl_architectures.nlp import names
from dl_architectures.nlp.api import Model

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"

EMBEDDED = {
    names.LANGUAGE_MODEL: Model(
        id=names.LANGUAGE_MODEL,
        source="embedded",
        tasks=("next-word", "generate", "chat"),
        title="Small language model (embedded)",
        about="Learned from reviews, Shakespeare and encyclopaedia articles; writes English and knows very little.",
        small=True,
    ),
    names.SENTIMENT_MODEL: Model(
        id=names.SENTIMENT_MODEL,
        source="embedded",
        tasks=("sentiment",),
        title="Small sentiment classifier (embedded)",
        about="Learned from film reviews; knows positive and negative only.",
        small=True,
    ),
    names.QUESTION_METHOD: Model(
        id=names.QUESTION_METHOD,
        source="embedded",
        tasks=("question",),
        title="Classical search for the answer (embedded)",
        about="Picks the sentence that shares most with the question, and a fitting part of it; nothing was learned.",
        licence="mit",
        bytes=0,
        parameters=0,
        small=True,
    ),
    names.SUMMARY_METHOD: Model(
        id=names.SUMMARY_METHOD,
        source="embedded",
        tasks=("summary",),
        title="Classical choice of sentences (embedded)",
        about="Takes the sentences that say most of the text, word for word; nothing was learned.",
        licence="mit",
        bytes=0,
        parameters=0,
        small=True,
    ),
    names.PICTURE_MODEL: Model(
        id=names.PICTURE_MODEL,
        source="embedded",
        tasks=("image",),
        title="Small picture model (embedded)",
        about="Draws digits, clothes, and the animals and vehicles of CIFAR-10, 32 pixels wide; nothing else.",
        pixels=32,
        small=True,
    ),
}
FOLDERS = {
    names.LANGUAGE_MODEL: EMBEDDED_FOLDER / "language_model",
    names.SENTIMENT_MODEL: EMBEDDED_FOLDER / "sentiment",
    names.PICTURE_MODEL: EMBEDDED_FOLDER / "pictures",
}
"""Of embedded models with weights."""


def remedy(id: str) -> str:
    """The command that makes an embedded model anew, where an installation lacks it."""
    folder = FOLDERS[id]
    module = f"dl_architectures.nlp.training.{folder.name}"
    return f"python -m {module} train --data PATH --output {shlex.quote(str(folder))}"


def _of_hub(id: str, tasks: tuple[names.Task, ...], title: str, megabytes: int, licence: str, about: str) -> Model:
    size = megabytes * 1_000_000
    return Model(id=id, source="hub", tasks=tasks, title=title, about=about, licence=licence, bytes=size, ready=False)


_WRITE: tuple[names.Task, ...] = ("next-word", "generate")
RECOMMENDED = (
    _of_hub("HuggingFaceTB/SmolLM2-135M", _WRITE, "SmolLM2 135M (small)", 273, "apache-2.0",
            "Continues English texts."),
    _of_hub("Qwen/Qwen3-1.7B-Base", _WRITE, "Qwen3 1.7B (large)", 3_460, "apache-2.0",
            "Continues texts in many languages."),
    _of_hub("HuggingFaceTB/SmolLM2-360M-Instruct", (*_WRITE, "chat"), "SmolLM2 360M Instruct (small)", 728,
            "apache-2.0", "Chats in English."),
    _of_hub("Qwen/Qwen3-4B-Instruct-2507", (*_WRITE, "chat"), "Qwen3 4B Instruct (large)", 8_060,
            "apache-2.0", "Chats in many languages; slow without a GPU."),
    _of_hub("distilbert/distilbert-base-uncased-finetuned-sst-2-english", ("sentiment",), "DistilBERT, SST-2 (small)",
            269, "apache-2.0", "Positive or negative, of English sentences."),
    _of_hub("nlptown/bert-base-multilingual-uncased-sentiment", ("sentiment",), "BERT multilingual (large)", 670,
            "mit", "One to five stars, of product reviews in six languages."),
    _of_hub("deepset/tinyroberta-squad2", ("question",), "TinyRoBERTa, SQuAD 2 (small)", 328, "cc-by-4.0",
            "Answers from English texts, or says that they do not tell."),
    _of_hub("deepset/roberta-large-squad2", ("question",), "RoBERTa large, SQuAD 2 (large)", 1_423, "cc-by-4.0",
            "The same with more care."),
    _of_hub("Falconsai/text_summarization", ("summary",), "T5 small, summaries (small)", 245, "apache-2.0",
            "Short summaries of English texts."),
    _of_hub("facebook/bart-large-cnn", ("summary",), "BART large, CNN (large)", 1_630, "mit",
            "Summaries in the style of a news page."),
    _of_hub("stable-diffusion-v1-5/stable-diffusion-v1-5", ("image",), "Stable Diffusion 1.5 (small)", 2_750,
            "creativeml-openrail-m", "Pictures of 512 pixels; minutes each without a GPU."),
    _of_hub("stabilityai/stable-diffusion-xl-base-1.0", ("image",), "Stable Diffusion XL (large)", 6_940,
            "openrail++", "Pictures of 1,024 pixels; needs a GPU."),
)  # fmt: skip
"""Licences and sizes are as published; `look_up` asks the hub for today's."""
