"""Headlines scored by a text classifier in a local folder of the Hugging Face layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from dl_shared.errors import InputError
from dl_shared.files import fingerprint

SIGNS = {"pos": 1.0, "bull": 1.0, "neg": -1.0, "bear": -1.0, "neu": 0.0}
"""Whether news are good or bad, by how the name of the label begins."""
UNNAMED = {"LABEL_0": -1.0, "LABEL_1": 1.0}  # how transformers calls two classes without names
AT_ONCE = 64
LONGEST = 128  # tokens of a headline that are read


class Classifier:
    """A sequence classifier (BERT, DistilBERT, RoBERTa and kin), such as FinBERT (Araci 2019, arXiv:1908.10063).

    Weights are read as safetensors, and no code of the folder is run.

    Args:
        folder: with config.json, model.safetensors and the tokenizer's files.
        device: `cpu`; anything else takes a GPU where there is one.

    Raises:
        InputError: if the folder is incomplete or holds no classifier, or its labels do not say which is good.
    """

    def __init__(self, folder: str, device: str = "auto") -> None:
        if not Path(folder).is_dir():
            raise InputError(f"{folder} is not a folder; give one with config.json, model.safetensors and a tokenizer")
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, **local)
            self.network, info = AutoModelForSequenceClassification.from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
            )
        except Exception as error:  # transformers raises many kinds, and torch, tokenizers and safetensors more
            first = " ".join(str(error).split())[:200]
            raise InputError(f"{folder} holds no text classifier that can be used: {first}") from None
        if info["missing_keys"]:
            raise InputError(
                f"{folder} lacks weights of a text classifier, {sorted(info['missing_keys'])[0]} among them"
            )
        self.device = torch.device("cpu" if device == "cpu" or not torch.cuda.is_available() else "cuda")
        self.network.eval().to(self.device)
        self.signs = torch.tensor(label_signs(self.network.config.id2label, folder), device=self.device)
        weights = sorted(Path(folder).glob("*.safetensors"))
        stamps = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in weights]
        self.name = f"classifier {fingerprint([str(Path(folder).resolve()), *stamps])}"

    @torch.inference_mode()
    def __call__(self, titles: Sequence[str]) -> Float[np.ndarray, " titles"]:
        """A score for each headline, from -1 to 1: the probability that it is good news minus that it is bad news."""
        found = []
        for start in range(0, len(titles), AT_ONCE):
            texts = list(titles[start : start + AT_ONCE])
            batch = self.tokenizer(texts, truncation=True, max_length=LONGEST, padding=True, return_tensors="pt")
            logits = self.network(**batch.to(self.device)).logits
            found.append((logits.softmax(-1) @ self.signs).double().cpu().numpy())
        return np.concatenate(found) if found else np.zeros(0)


def label_signs(labels: dict[int, str], folder: str) -> list[float]:
    """For each label 1 if it stands for good news, -1 for bad, 0 for neither.

    Raises:
        InputError: if the names of the labels do not tell.
    """
    names = [labels[number] for number in range(len(labels))]
    if len(names) == 2 and set(names) == set(UNNAMED):
        return [UNNAMED[name] for name in names]
    signs = [next((sign for start, sign in SIGNS.items() if name.lower().startswith(start)), None) for name in names]
    known = [sign for sign in signs if sign is not None]
    if len(known) < len(names) or {1.0, -1.0} - set(known):
        raise InputError(
            f"the labels of {folder} are {', '.join(names)}; they must be called positive, negative and neutral"
        )
    return known
