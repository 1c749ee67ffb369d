"""Sampling with shared prompts: each prompt is read once, finished rows leave the batch, caches grow in blocks.

It takes over from transformers' `generate` where `grpo.share_prefix` is on and only what it knows is asked for. Greedy
tokens are the same; drawn ones have the same probabilities, and are others for the same seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from socialr1_lite.policy.prefix import Packing, no_mask, padded

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Module
    from transformers import PreTrainedModel

    KeysAndValues = tuple[Tensor, Tensor]

BLOCK = 64  # tokens by which a cache grows [ours]
CROWDED = 0.75  # prompts leave the cache once no more than this share of them is still being answered [ours]
INPUTS = {"input_ids", "attention_mask", "generation_config"}
# Of transformers' GenerationConfig: what is honoured here, and what changes nothing here.
HONOURED = {"max_new_tokens", "do_sample", "temperature", "top_p", "top_k", "min_p", "eos_token_id", "pad_token_id"}
IDLE = {"bos_token_id", "use_cache", "disable_compile", "transformers_version", "_from_model_config", "max_length"}
NEUTRAL = {"repetition_penalty": 1.0, "num_beams": 1, "num_return_sequences": 1}  # beside null, false and 0


@dataclass(frozen=True, slots=True)
class Choice:
    """How a token is chosen, and when a completion ends. temperature 0: the likeliest. top_k 0: all."""

    tokens: int
    ends: tuple[int, ...]
    padding: int
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0

    def __call__(self, logits: Tensor) -> Tensor:
        """Choose a token for each row of (R, V)."""
        import torch

        if not self.temperature:
            return logits.argmax(-1)
        scores = logits.float()
        for warper in self._warpers():
            scores = warper(None, scores)
        # The inverse of the distribution function: one number is drawn a row, where multinomial draws one a word.
        heights = torch.softmax(scores, -1).double().cumsum(-1)
        drawn = torch.rand((len(heights), 1), dtype=heights.dtype, device=heights.device) * heights[:, -1:]
        return torch.searchsorted(heights, drawn, right=True)[:, 0].clamp(max=scores.shape[-1] - 1)

    def _warpers(self) -> Iterable[Any]:
        """Yield transformers' own, in the order in which `generate` has them."""
        from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        if self.temperature != 1.0:
            yield TemperatureLogitsWarper(self.temperature)
        if self.top_k:
            yield TopKLogitsWarper(top_k=self.top_k)
        if self.top_p < 1.0:
            yield TopPLogitsWarper(top_p=self.top_p)
        if self.min_p:
            yield MinPLogitsWarper(min_p=self.min_p)


def understood(model: PreTrainedModel, asked: Mapping[str, Any]) -> Choice | None:
    """Read what `generate` was asked for; None where anything of it is not known here.

    As in `generate`, an argument comes before the given configuration, and that before the model's own.
    """
    configs = [one for one in (asked.get("generation_config"), model.generation_config) if one is not None]
    names = set(asked).union(*(config.to_diff_dict() for config in configs)) - INPUTS - IDLE

    def value(name: str) -> Any:
        values = [asked[name]] if name in asked else [getattr(config, name, None) for config in configs]
        return next((one for one in values if one is not None), None)

    odd = {name for name in names - HONOURED if value(name) and value(name) != NEUTRAL.get(name)}
    ends, padding, tokens = (value(name) for name in ("eos_token_id", "pad_token_id", "max_new_tokens"))
    if odd or "input_ids" not in asked or padding is None or not tokens:
        return None
    heat = 1.0 if value("temperature") is None else float(value("temperature"))
    return Choice(
        int(tokens),
        () if ends is None else tuple(ends) if isinstance(ends, list | tuple) else (int(ends),),
        int(padding),
        heat if value("do_sample") else 0.0,
        float(value("top_p") or 1.0),
        int(value("top_k") or 0),
        float(value("min_p") or 0.0),
    )


@dataclass
class Decoding:
    """Keys and values of prompts and of the rows that answer them, a token at a time; rows of a prompt side by side.

    answered: the prompt of each row. prompts, own: by layer. lengths: tokens of each prompt. written: of each row.
    """

    answered: list[int]
    lengths: list[int]
    prompts: dict[int, KeysAndValues]
    own: dict[int, KeysAndValues] = field(default_factory=dict)
    written: int = 0

    def __post_init__(self) -> None:
        """Lay out which row stands where beside its prompt."""
        import torch

        counts = [self.answered.count(prompt) for prompt in range(len(self.lengths))]
        self.most = max(counts)
        where = next(iter(self.prompts.values()))[0].device
        places = [prompt * self.most + i for prompt, count in enumerate(counts) for i in range(count)]
        whole = len(places) == self.most * len(counts)
        self.cells = None if whole else torch.tensor(places, device=where)
        ends = torch.tensor(self.lengths, device=where)
        unseen = torch.arange(max(self.lengths), device=where) >= ends[:, None]
        self.unseen = unseen[:, None, None] if unseen.any() else None  # (prompts, 1, 1, tokens)

    @property
    def positions(self) -> list[list[int]]:
        """The place of each row's next token."""
        return [[self.lengths[prompt] + self.written] for prompt in self.answered]

    def attend(self, module: Module, query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
        """Keep each row's new key and value; let its query see its prompt and what the row has written."""
        import torch

        keys, values = self._keep(int(module.layer_idx), key, value)
        prompt_keys, prompt_values = self.prompts[int(module.layer_idx)]
        rows, heads, _, width = query.shape
        asked = (query * (width**-0.5 if scaling is None else scaling)).reshape(rows, key.shape[1], -1, width)
        before = self._gathered(self._spread(asked) @ prompt_keys.transpose(2, 3), self.unseen)
        scores = torch.cat([before, asked @ keys.transpose(2, 3)], dim=-1)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
        on_prompt, on_own = weights.split([before.shape[-1], keys.shape[2]], dim=-1)
        found = self._gathered(self._spread(on_prompt) @ prompt_values) + on_own @ values
        return found.reshape(rows, 1, heads, width)

    def _spread(self, states: Tensor) -> Tensor:
        """Turn rows (R, K, q, n) into prompts (P, K, most x q, n), which makes one product of a prompt's rows."""
        _, groups, asked, width = states.shape
        if self.cells is not None:
            cells = states.new_zeros((len(self.lengths) * self.most, groups, asked, width))
            states = cells.index_copy_(0, self.cells, states)
        apart = states.reshape(len(self.lengths), self.most, groups, asked, width)
        return apart.transpose(1, 2).reshape(len(self.lengths), groups, -1, width)

    def _gathered(self, states: Tensor, unseen: Tensor | None = None) -> Tensor:
        """Turn prompts back into rows."""
        import torch

        if unseen is not None:
            states = states.masked_fill(unseen, -torch.inf)
        prompts, groups, asked, width = states.shape
        asked //= self.most
        apart = states.view(prompts, groups, self.most, asked, width).transpose(1, 2)
        apart = apart.reshape(-1, groups, asked, width)
        return apart if self.cells is None else apart[self.cells]

    def _keep(self, layer: int, key: Tensor, value: Tensor) -> KeysAndValues:
        import torch

        kept = self.own.get(layer)
        if kept is None or kept[0].shape[2] == self.written:
            more = key.new_empty((*key.shape[:2], BLOCK, key.shape[3]))
            old, new = kept or (more[:, :, :0], more[:, :, :0])
            kept = self.own[layer] = torch.cat([old, more], dim=2), torch.cat([new, more], dim=2)
        for states, new in zip(kept, (key, value), strict=True):
            states[:, :, self.written] = new[:, :, 0]
        return kept[0][:, :, : self.written + 1], kept[1][:, :, : self.written + 1]

    def kept(self, going: list[int]) -> Decoding:
        """Return what is left when only these rows go on; a prompt's cache goes when enough prompts are answered."""
        import torch

        where = next(iter(self.prompts.values()))[0].device
        rows = torch.tensor(going, device=where)
        own = {layer: (k[rows], v[rows]) for layer, (k, v) in self.own.items()}
        answered, lengths, prompts = [self.answered[row] for row in going], self.lengths, self.prompts
        asked = sorted(set(answered))
        if len(asked) <= CROWDED * len(lengths):
            left, longest = torch.tensor(asked, device=where), max(lengths[prompt] for prompt in asked)
            prompts = {layer: (k[left, :, :longest], v[left, :, :longest]) for layer, (k, v) in prompts.items()}
            answered, lengths = [asked.index(prompt) for prompt in answered], [lengths[prompt] for prompt in asked]
        return Decoding(answered, lengths, prompts, own, self.written)


def sample(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor | None, choice: Choice) -> Tensor:
    """Return the rows with their completions behind them, as `generate` does: (B, P + T)."""
    import torch

    seen = [[1] * input_ids.shape[1]] * len(input_ids) if attention_mask is None else attention_mask.tolist()
    pairs = zip(input_ids.tolist(), seen, strict=True)
    asked = [tuple(token for token, there in zip(*pair, strict=True) if there) for pair in pairs]
    prompts = list(dict.fromkeys(asked))
    going = sorted(range(len(asked)), key=lambda row: prompts.index(asked[row]))
    answered = [prompts.index(asked[row]) for row in going]
    caches, logits = _read(model, prompts, input_ids.device)
    rows, logits = Decoding(answered, list(map(len, prompts)), caches), logits[answered]
    out = input_ids.new_full((len(asked), choice.tokens), choice.padding)
    for place in range(choice.tokens):
        chosen = choice(logits)
        out[going, place] = chosen
        left = [i for i, token in enumerate(chosen.tolist()) if token not in choice.ends]
        if not left or place + 1 == choice.tokens:
            break
        if len(left) < len(going):
            rows, chosen, going = rows.kept(left), chosen[left], [going[i] for i in left]
        where = {"position_ids": torch.tensor(rows.positions, device=chosen.device), "prefix": rows}
        masked = no_mask(chosen.device)
        logits = model(input_ids=chosen[:, None], attention_mask=masked, use_cache=False, **where).logits[:, -1]
        rows.written += 1
    return torch.cat([input_ids, out[:, : place + 1]], dim=1)


def _read(
    model: PreTrainedModel, prompts: list[tuple[int, ...]], where: device
) -> tuple[dict[int, KeysAndValues], Tensor]:
    """Read the prompts in one row. Returns keys and values (P, K, tokens, D) of each layer, last logits (P, V)."""
    import torch

    lengths, packing = list(map(len, prompts)), Packing()
    for prompt in prompts:
        packing.add(prompt, [])
    inputs = packing.inputs(where)
    kept = inputs["prefix"].kept = {}
    ends = torch.tensor(lengths, device=where).cumsum(0) - 1
    logits = model(**inputs, use_cache=False, logits_to_keep=ends).logits[0]
    caches = {layer: (padded(k, lengths), padded(v, lengths)) for layer, (k, v) in kept.items()}
    return caches, logits
