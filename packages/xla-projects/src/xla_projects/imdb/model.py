"""The network, which reads several reviews in one row, and its tokenizer; where both are read from and written to.

The encoder is that of transformers for the model's family: BERT (Devlin et al. 2019, arXiv:1810.04805) and kin. Weights
are read as safetensors, and no code of a model is run.
"""

from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig, PreTrainedTokenizerFast
from transformers.utils import logging

from dl_shared.data import text_models
from dl_shared.data.backbones import embedded_folder, explaining, find_backbone
from dl_shared.data.reviews import CLASSES
from dl_shared.data.word_pieces import SPECIAL, small_bert, train_word_pieces
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.tasks.imdb_config import EMBEDDED, SCRATCH
from xla_projects.imdb.config import Config

# Families that take positions as an input; others number the tokens of a row themselves, across its reviews.
FAMILIES = ("bert", "distilbert", "roberta", "xlm-roberta", "camembert", "electra")

Tokenizer = PreTrainedTokenizerFast
Pooling = Literal["mean", "first"]

logging.set_verbosity_error()  # it would warn of the unused pooler, and of texts that are cut later
logging.disable_progress_bar()


class Network(nn.Module):
    """An encoder, and a linear layer on one vector for each review.

    Args:
        encoder: of transformers, with attention that takes any mask ("eager").
        pooling: the mean over a review's tokens, or its first token, [CLS].
    """

    def __init__(self, encoder: Any, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling
        if hasattr(encoder, "pooler"):
            encoder.pooler = None  # it reads only the first review of a row
        self.encoder = encoder
        self.layers = int(encoder.config.num_hidden_layers)
        self.first_position = text_models.first_position(encoder.config)
        self.dropout = nn.Dropout(text_models.hidden_dropout(encoder.config))
        self.classifier = nn.Linear(encoder.config.hidden_size, len(CLASSES))
        nn.init.normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)

    def forward(
        self,
        input_ids: Int[Tensor, "rows length"],
        segments: Int[Tensor, "rows length"],
        positions: Int[Tensor, "rows length"],
        starts: Int[Tensor, "rows places"],
    ) -> Float[Tensor, "rows places 2"]:
        """Logits of each review; those of an empty place mean nothing. For the arguments, see `packing.Packed`."""
        output = self.encoder(
            input_ids=input_ids,
            position_ids=positions + self.first_position,
            attention_mask=within_segments(segments),
        )
        pooled = pool(output.last_hidden_state, segments, starts, self.pooling)
        return self.classifier(self.dropout(pooled))


def pool(
    hidden: Float[Tensor, "rows length width"],
    segments: Int[Tensor, "rows length"],
    starts: Int[Tensor, "rows places"],
    pooling: Pooling,
) -> Float[Tensor, "rows places width"]:
    """One vector for each review; an empty place gets zeros, or another token's vector."""
    if pooling == "first":
        return hidden.gather(1, starts.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))
    numbers = torch.arange(1, starts.shape[1] + 1, device=segments.device)
    belongs = (segments[:, None, :] == numbers[None, :, None]).to(hidden.dtype)
    return belongs @ hidden / belongs.sum(dim=2, keepdim=True).clamp(min=1)


def within_segments(segments: Int[Tensor, "rows length"]) -> Float[Tensor, "rows 1 length length"]:
    """A mask to add to attention scores: tokens attend only to those of their own review (Krell et al. 2021)."""
    others = segments[:, None, :, None] != segments[:, None, None, :]
    return others * torch.finfo(torch.float32).min


def load_pretrained(config: Config, texts: list[str]) -> tuple[Network, Tokenizer]:
    """The network with a new classifier, on the host, and the tokenizer.

    Args:
        config: `model`, `layers` and the dropouts are read.
        texts: of the training part; `scratch` makes its vocabulary from them.

    Raises:
        InputError: if the model cannot be found or read, is of another family, has too few layers or positions, or its
            tokenizer is of another model.
    """
    torch.manual_seed(config.seed)  # initial weights of the classifier, or of all
    if config.model == SCRATCH or (config.model == EMBEDDED and config.data == "sample" and embedded_folder() is None):
        if config.model == EMBEDDED:
            say("the embedded model is not installed: a small one is trained from scratch instead")
        return _untrained(config, texts)
    found = find_backbone(config.model)
    trusted: Any = {"trust_remote_code": False, "local_files_only": found.offline}
    with explaining(f"the model {found.name}"):
        options = AutoConfig.from_pretrained(found.source, **trusted)
        _adapt(options, config)
        tokenizer: Any = AutoTokenizer.from_pretrained(found.source, **trusted)
        encoder, info = AutoModel.from_pretrained(
            found.source,
            config=options,
            attn_implementation="eager",
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            dtype=torch.float32,
            **trusted,
        )
    fresh = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    text_models.check_weights(fresh, found.name)
    text_models.check_tokenizer(tokenizer, options.vocab_size, found.name)
    return Network(encoder, config.pooling), tokenizer


def save_description(run: Path, network: Network, tokenizer: Tokenizer) -> None:
    """Write configuration and tokenizer, which together with the weights suffice to predict."""
    text_models.save_description(run / "model", network.encoder.config, tokenizer)


def load_description(run: Path, pooling: Pooling) -> tuple[Network, Tokenizer]:
    """The network of a run with random weights, on the host, and its tokenizer.

    Raises:
        InputError: if they are missing or damaged.
    """
    folder = run / "model"
    if not folder.is_dir():
        raise InputError(f"{run} has no folder model/; was the run stopped before it began?")
    with explaining(str(folder)):
        options = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        network = Network(AutoModel.from_config(options, attn_implementation="eager"), pooling)
    text_models.check_tokenizer(tokenizer, options.vocab_size, str(folder))
    return network, tokenizer


def _untrained(config: Config, texts: list[str]) -> tuple[Network, Tokenizer]:
    """A small BERT with random weights, for machines without a pretrained one."""
    pieces = train_word_pieces(texts)
    options = BertConfig(**small_bert(pieces.get_vocab_size(), config.max_length))
    _adapt(options, config)
    length = options.max_position_embeddings
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, model_max_length=length, **SPECIAL)
    return Network(AutoModel.from_config(options, attn_implementation="eager"), config.pooling), tokenizer


def _adapt(options: Any, config: Config) -> None:
    """Change the model's own configuration as the options say, and refuse one that cannot do what they ask."""
    if options.model_type not in FAMILIES:
        raise InputError(
            f"a {options.model_type} model cannot read several reviews in a row; give --model one of the families"
            f" {', '.join(FAMILIES)}"
        )
    text_models.adapt(options, layers=config.layers, dropout=config.dropout, attention_dropout=config.attention_dropout)
    longest = text_models.longest_input(options)
    if config.max_length > longest:
        raise InputError(f"the model reads {longest} tokens; --max-length {config.max_length} asks for more")
    if config.frozen > options.num_hidden_layers + 1:
        raise InputError(
            f"the model has embeddings and {options.num_hidden_layers} layers; --frozen {config.frozen} leaves nothing"
            " to learn"
        )
