# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens of rendered frames, made once by the frozen tokenizer and kept on disk for the other trainings.

As in the camera node, a token that is still nearly the best one stays from frame to frame.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tokenlink.models.twist.tokenizer import Tokenizer, hold
from tokenlink.train.twist.frame_store import FrameStore


@dataclass(frozen=True)
class TokenSet:
    """Tokens with labels, in order of time within each span.

    Attributes
    ----------
    token_ids : int16 [n, n_tokens]
        Tokens of each frame.
    labels : int64 [n, 3]
        Car, VRU, density class.
    cells, counts : [n, 2, rows, cols]
        See `tokenlink.train.twist.frame_store.Batch`.
    spans : list of (first, last)
        Sequences: first index and one past the last.
    names : list of str
        Name of each sequence.
    """

    token_ids: np.ndarray
    labels: np.ndarray
    cells: np.ndarray
    counts: np.ndarray
    spans: list
    names: list

    def __len__(self) -> int:
        return len(self.labels)

    def earlier(self, indices: np.ndarray, steps: int) -> np.ndarray:
        """Index of the frame so many steps before each index, or -1 where the sequence had not begun."""
        first = np.zeros(len(self), np.int64)
        for start, end in self.spans:
            first[start:end] = start
        before = indices - steps
        return np.where(before >= first[indices], before, -1)

    def only(self, prefix: str) -> "TokenSet":
        """The sequences whose name begins so."""
        kept = [i for i, name in enumerate(self.names) if name.startswith(prefix)]
        return self._some(kept, [self.spans[i] for i in kept])

    def beginnings(self, limit: int) -> "TokenSet":
        """At most so many first frames of every sequence."""
        return self._some(range(len(self.names)), [(a, min(b, a + limit)) for a, b in self.spans])

    def _some(self, kept, spans) -> "TokenSet":
        chosen = np.concatenate([np.arange(*span) for span in spans])
        ends = np.cumsum([0, *(last - first for first, last in spans)]).tolist()
        return TokenSet(
            self.token_ids[chosen],
            self.labels[chosen],
            self.cells[chosen],
            self.counts[chosen],
            list(zip(ends[:-1], ends[1:], strict=True)),
            [self.names[i] for i in kept],
        )


@torch.no_grad()
def tokenize_folder(
    model: Tokenizer, frames: Path, cache: Path, altered_seed: int | None = None, limit: int | None = None
) -> TokenSet:
    """Tokens of a folder of frames; kept in `cache`, one file per sequence, and read from there the next time.

    Parameters
    ----------
    model : Tokenizer
        The frozen tokenizer.
    frames, cache : Path
        Folder of rendered frames, and folder for their tokens; a cache serves one tokenizer only.
    altered_seed : int, optional
        Tokenize each sequence mirrored and with another tint, chosen by this seed.
    limit : int, optional
        Use at most so many frames of each sequence.
    """
    store = FrameStore(frames, limit)
    model.eval()
    cache.mkdir(parents=True, exist_ok=True)
    parts, cells, counts = [], store.cells, store.counts
    for number, (name, (first, last)) in enumerate(zip(store.names, store.spans, strict=True)):
        path = cache / f"{name}{'' if altered_seed is None else f'_altered{altered_seed}'}.npy"
        if not path.exists() or len(np.load(path, mmap_mode="r")) < last - first:
            tint = None if altered_seed is None else np.random.default_rng([altered_seed, number])
            np.save(path, tokenize_span(model, store, first, last, tint))
        parts.append(np.load(path)[: last - first])
    if altered_seed is not None:
        cells, counts = cells[..., ::-1], counts[..., ::-1]
    tokens = np.concatenate(parts).reshape(len(store), -1)
    return TokenSet(tokens, store.labels, cells, counts, store.spans, store.names)


@torch.no_grad()
def tokenize_span(
    model: Tokenizer,
    store: FrameStore,
    first: int,
    last: int,
    tint: np.random.Generator | None = None,
    margin: float | None = None,
) -> np.ndarray:
    """Tokens int16 [n, rows, cols] of the frames from first to before last, in order of time.

    With `tint`, of mirrored pictures in other light; `margin` is the model's own if left out.
    """
    margin = model.config.hold_margin if margin is None else margin
    gain = np.ones((1, 1, 1, 3)) if tint is None else tint.uniform(0.8, 1.2) * tint.uniform(0.95, 1.05, (1, 1, 1, 3))
    parts, ids = [], None
    for start in range(first, last, 16):
        pictures = np.stack([store.image(i) for i in range(start, min(start + 16, last))])
        if tint is not None:
            pictures = np.clip(pictures[:, :, ::-1] * gain, 0, 255).astype(np.uint8)
        image = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div_(255)
        similarities = model.similarities(image.contiguous(memory_format=torch.channels_last))
        for one in similarities:
            ids = hold(one, ids, margin) if parts else one.argmax(-1)
            parts.append(ids.numpy().astype(np.int16))
    return np.stack(parts)


@torch.no_grad()
def code_embeddings(model: Tokenizer) -> torch.Tensor:
    """Embedding of every code, float32 [vocab_size, dim]."""
    return model.embed(torch.arange(model.config.vocab_size)[None])[0].clone()
