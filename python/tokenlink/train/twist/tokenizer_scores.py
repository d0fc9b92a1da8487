# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a tokenizer's pictures and tokens are."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.twist.head import TrafficHead, read_state
from tokenlink.models.twist.tokenizer import Tokenizer, codebook_usage
from tokenlink.train.twist.frame_store import FrameStore
from tokenlink.train.twist.scores import flicker, traffic_scores
from tokenlink.train.twist.token_sets import tokenize_span

_BATCH = 8


def ssim(said: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Structural similarity of pictures float32 [batch, channels, height, width] in [0, 1], float32 [batch].

    Notes
    -----
    Wang et al., Image quality assessment: from error visibility to structural similarity, eq. (13), with its Gaussian
    window of 11 pixels; mean over windows that lie inside the picture, and over channels.
    """
    at = torch.arange(11) - 5.0
    line = torch.exp(-(at**2) / (2 * 1.5**2))
    window = (line / line.sum()).expand(said.shape[1], 1, 1, 11).contiguous()

    def mean(x):
        return F.conv2d(F.conv2d(x, window, groups=x.shape[1]), window.mT.contiguous(), groups=x.shape[1])

    mean_a, mean_b = mean(said), mean(image)
    var_a, var_b = mean(said**2) - mean_a**2, mean(image**2) - mean_b**2
    covariance = mean(said * image) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    alike = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (alike / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean((1, 2, 3))


@torch.no_grad()
def picture_scores(model: Tokenizer, batches: Iterable[torch.Tensor]) -> tuple[dict, np.ndarray]:
    """PSNR (mean of those of the pictures), SSIM, L1 error and codebook use; and the tokens.

    Parameters
    ----------
    model : Tokenizer
        The tokenizer.
    batches : iterable of float32 [batch, 3, height, width]
        Pictures in [0, 1].

    Returns
    -------
    (dict, int32 [n, rows, cols])
    """
    model.eval()
    squared, absolute, similar, token_ids = [], [], [], []
    for image in batches:
        ids = model.encode(image)
        said = model.decode(ids)
        squared += ((said - image) ** 2).mean((1, 2, 3)).tolist()
        absolute += (said - image).abs().mean((1, 2, 3)).tolist()
        similar += ssim(said, image).tolist()
        token_ids.append(ids.numpy())
    tokens = np.concatenate(token_ids)
    psnr_db = float(-10 * np.log10(np.maximum(squared, 1e-9)).mean())
    scores = {"psnr_db": psnr_db, "ssim": float(np.mean(similar)), "l1": float(np.mean(absolute))}
    return {**scores, **codebook_usage(tokens, model.config.vocab_size)}, tokens


@torch.no_grad()
def evaluate(model: Tokenizer, head: TrafficHead | None, store: FrameStore, indices: np.ndarray) -> dict:
    """`picture_scores` and, with a head, traffic scores on the given frames."""
    starts = range(0, len(indices), _BATCH)
    scores, tokens = picture_scores(model, (store.batch(indices[i : i + _BATCH]).image for i in starts))
    if head is None:
        return scores
    states = []
    for i in starts:
        state = read_state(head.eval(), model.embed(torch.from_numpy(tokens[i : i + _BATCH])).flatten(1, 2))
        states.append(torch.stack([state["car"].long(), state["vru"].long(), state["density"]], dim=1).numpy())
    return {**scores, **traffic_scores(store.labels[indices], np.concatenate(states))}


def real_scores(model: Tokenizer, pictures: np.ndarray) -> dict:
    """`picture_scores` of pictures uint8 [n, height, width, 3]."""
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return picture_scores(model, (part.float() / 255 for part in images.split(_BATCH)))[0]


def spread_indices(store: FrameStore, n: int) -> np.ndarray:
    """About n frames, evenly over the store."""
    return np.unique(np.linspace(0, len(store) - 1, min(n, len(store))).astype(int))


def flicker_of(model: Tokenizer, store: FrameStore, margin: float | None = None, n_per_file: int = 120) -> dict:
    """Token changes from frame to frame over the first frames of every file, see `scores.flicker`."""
    parts = []
    for first, last in store.spans:
        last = min(last, first + n_per_file)
        images = np.stack([store.image(i) for i in range(first, last)])
        parts.append((last - first - 1, flicker(images, tokenize_span(model, store, first, last, margin=margin))))
    still = sum(part["unchanged_patches"] for _, part in parts)
    changed = sum(part["flicker"] * part["unchanged_patches"] for _, part in parts if part["unchanged_patches"])
    weight = sum(n for n, _ in parts)
    return {
        "flicker": changed / still if still else None,
        "unchanged_patches": still,
        "token_change": sum(n * part["token_change"] for n, part in parts) / max(weight, 1),
    }
