"""Encoder, attention and decoder: a batch of padded source sequences in, logits over the vocabulary out.

    source ids -> Encoder -> encoder outputs -> (Attention <-> Decoder, one target position at a time) -> logits

A source is wrapped as `bos x_1 ... x_n eos`, so that both of its ends are symbols that the attention can find; a
target ends with `eos`. In shapes, `batch` counts sequences, `source` and `target` count positions, and `hidden` is the
width of the decoder, as of the encoder's outputs (both directions side by side).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dl_architectures.seq2seq.config import ModelConfig

PAD_ID, BOS_ID, EOS_ID = 0, 1, 2
SPECIAL_IDS = 3  # ids below this one are not symbols


class Memory(NamedTuple):
    """What the decoder may look at: computed once for each source, then read at every target position."""

    values: Float[Tensor, "batch source hidden"]
    keys: Float[Tensor, "batch source hidden"]
    mask: Bool[Tensor, "batch source"]


class DecoderState(NamedTuple):
    """What one decoding step hands to the next."""

    hidden: Float[Tensor, "batch hidden"]
    attentional: Float[Tensor, "batch hidden"]
    weights: Float[Tensor, "batch source"]

    def select(self, rows: Int[Tensor, " rows"]) -> "DecoderState":
        """The state of some sequences, in the order of `rows`; a row may be taken more than once."""
        return DecoderState(*(part.index_select(0, rows) for part in self))


class Encoder(nn.Module):
    """A bidirectional GRU over the embedded source (Bahdanau et al. 2015, section 3.2).

    Padding is packed away, so that the backward direction starts at the last real symbol of each source.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=PAD_ID)
        self.gru = nn.GRU(config.embedding_size, config.hidden_size // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(
        self, source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch source hidden"], Float[Tensor, "batch hidden"]]:
        """Encode a batch.

        Args:
            source: ids, padded behind each sequence with `PAD_ID`.
            lengths: ids in each source, `bos` and `eos` included; on the CPU, as packing wants them.

        Returns:
            one output for each source position (zero at padding), and the decoder's first hidden state.
        """
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(source), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, final = self.gru(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True, total_length=source.shape[1])
        return outputs, torch.tanh(self.bridge(torch.cat((final[0], final[1]), dim=-1)))


class BahdanauAttention(nn.Module):
    """Additive attention (Bahdanau et al. 2015, appendix A.1.2): score_j = v . tanh(W s + U h_j).

    The paper scores with the state before the current symbol is read; here, as in Luong et al., with the one after.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.score = nn.Linear(config.hidden_size, 1, bias=False)

    def forward(
        self, hidden: Float[Tensor, "batch hidden"], memory: Memory, previous: Float[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source"]:
        """Attention weights over the source; `previous` weights play no part."""
        scores = self.score(torch.tanh(self.query(hidden)[:, None] + memory.keys)).squeeze(-1)
        return masked_softmax(scores, memory.mask)


class LuongAttention(nn.Module):
    """Multiplicative attention (Luong et al. 2015, equation 8, "general"): score_j = s . W h_j."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.key = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(
        self, hidden: Float[Tensor, "batch hidden"], memory: Memory, previous: Float[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source"]:
        """Attention weights over the source; `previous` weights play no part."""
        scores = torch.bmm(memory.keys, hidden[:, :, None]).squeeze(-1)
        return masked_softmax(scores, memory.mask)


class LocationAttention(nn.Module):
    """Location-based addressing of the Neural Turing Machine (Graves et al. 2014, section 3.3.2).

    The weights of the previous position may be kept and moved by one, so that the model can learn to walk through the
    source: that walk does not care how long the source is, which scores of content alone cannot offer.

        w_c = softmax(s . W h_j)                          content, as Luong et al.
        w_g = g w_c + (1 - g) w_previous                  interpolation, equation 7
        w_s = sum over k in {-1, 0, 1} of shift_k move(w_g, k)      shift, equation 8
        w   = w_s ** gamma / sum(w_s ** gamma)            sharpening, equation 9

    Where we differ: what moves past an end of the source is lost (and made up for by the normalisation of w), instead
    of coming back at the other end.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.content = LuongAttention(config)
        self.controls = nn.Linear(config.hidden_size, 5)  # gate, three shifts, sharpness

    @property
    def key(self) -> nn.Linear:
        return self.content.key

    def forward(
        self, hidden: Float[Tensor, "batch hidden"], memory: Memory, previous: Float[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source"]:
        """Attention weights over the source, from the content and from where the `previous` weights were."""
        controls = self.controls(hidden)
        gate = torch.sigmoid(controls[:, :1])
        left, stay, right = torch.softmax(controls[:, 1:4], dim=-1).split(1, dim=-1)
        gamma = 1 + F.softplus(controls[:, 4:])
        content = self.content(hidden, memory, previous)
        mixed = previous + gate * (content - previous)
        shifted = stay * mixed + left * F.pad(mixed[:, 1:], (0, 1)) + right * F.pad(mixed[:, :-1], (1, 0))
        # A softmax of gamma * log w is w ** gamma, normalised; the constant keeps the logarithm finite where w is zero.
        return masked_softmax(gamma * torch.log(shifted + 1e-8), memory.mask)


Attention = BahdanauAttention | LuongAttention | LocationAttention
ATTENTIONS: dict[str, type[Attention]] = {
    "bahdanau": BahdanauAttention,
    "luong": LuongAttention,
    "location": LocationAttention,
}


def masked_softmax(
    scores: Float[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]
) -> Float[Tensor, "batch source"]:
    """Softmax over the real positions; padding gets exactly zero."""
    return torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)


class Decoder(nn.Module):
    """A GRU with attention and input feeding (Luong et al. 2015, sections 3.1 and 3.3).

    s_t = GRU(s_{t-1}, [y_{t-1}; a_{t-1}])      a_{t-1}: the attentional state, fed back
    c_t = sum over j of weights_j h_j
    a_t = tanh(W_c [c_t; s_t])                  equation 5
    logits_t = W_o a_t                          equation 6
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=PAD_ID)
        self.attention: Attention = ATTENTIONS[config.attention](config)
        self.inputs = nn.Linear(config.embedding_size, 3 * hidden)
        self.feed = nn.Linear(hidden, 3 * hidden, bias=False)
        self.recurrent = nn.Linear(hidden, 3 * hidden)
        self.combine = nn.Linear(2 * hidden, hidden)
        self.output = nn.Linear(hidden, config.vocab_size)

    def project(self, ids: Int[Tensor, "*axes"]) -> Float[Tensor, "*axes gates"]:
        """The symbols' part of the GRU's input; for known targets, all positions in one matrix product."""
        return self.inputs(self.embedding(ids))

    def step(self, inputs: Float[Tensor, "batch gates"], state: DecoderState, memory: Memory) -> DecoderState:
        """Read one projected symbol; the new state's `attentional` part gives the logits."""
        reset_x, update_x, new_x = (inputs + self.feed(state.attentional)).chunk(3, dim=-1)
        reset_h, update_h, new_h = self.recurrent(state.hidden).chunk(3, dim=-1)
        update = torch.sigmoid(update_x + update_h)
        new = torch.tanh(new_x + torch.sigmoid(reset_x + reset_h) * new_h)
        hidden = new + update * (state.hidden - new)
        weights = self.attention(hidden, memory, state.weights)
        context = torch.bmm(weights[:, None], memory.values).squeeze(1)
        return DecoderState(hidden, torch.tanh(self.combine(torch.cat((context, hidden), dim=-1))), weights)


class Seq2Seq(nn.Module):
    """The whole network, with the two ways of running it: over known targets (`forward`), or step by step.

    Step by step: `start` once, then `step` for each symbol.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def start(self, source: Int[Tensor, "batch source"], lengths: Int[Tensor, " batch"]) -> tuple[Memory, DecoderState]:
        """Encode; before the first symbol, attention is spread evenly over each source (Chorowski et al. 2015)."""
        mask = source != PAD_ID
        outputs, hidden = self.encoder(source, lengths)
        memory = Memory(outputs, self.decoder.attention.key(outputs), mask)
        return memory, DecoderState(hidden, torch.zeros_like(hidden), mask / mask.sum(dim=1, keepdim=True))

    def step(
        self, ids: Int[Tensor, " batch"], state: DecoderState, memory: Memory
    ) -> tuple[Float[Tensor, "batch vocab"], DecoderState]:
        """Read one symbol of each target; logits of the next one."""
        state = self.decoder.step(self.decoder.project(ids), state, memory)
        return self.decoder.output(state.attentional), state

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        lengths: Int[Tensor, " batch"],
        inputs: Int[Tensor, "batch target"],
        forced: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits at every target position.

        Args:
            source: ids, padded.
            lengths: ids in each source; on the CPU.
            inputs: the target shifted right: `bos y_1 y_2 ...`.
            forced: scheduled sampling (Bengio et al. 2015): where False, the decoder reads its own last choice in place
                of `inputs`. Without it, teacher forcing throughout.
        """
        memory, state = self.start(source, lengths)
        if forced is not None:
            return self._sampled(inputs, forced, state, memory)
        attentional = []
        for projected in self.decoder.project(inputs).unbind(dim=1):
            state = self.decoder.step(projected, state, memory)
            attentional.append(state.attentional)
        return self.decoder.output(torch.stack(attentional, dim=1))

    def _sampled(
        self,
        inputs: Int[Tensor, "batch target"],
        forced: Bool[Tensor, "batch target"],
        state: DecoderState,
        memory: Memory,
    ) -> Float[Tensor, "batch target vocab"]:
        own, logits = inputs[:, 0], []
        for true, use_true in zip(inputs.unbind(dim=1), forced.unbind(dim=1), strict=True):
            now, state = self.step(torch.where(use_true, true, own), state, memory)
            own = now.argmax(dim=-1)
            logits.append(now)
        return torch.stack(logits, dim=1)
