# SPDX-License-Identifier: GPL-3.0-or-later
"""What a trained network reaches: accuracy by budget, by ratio and by SNR, and whether the budget is kept."""

from collections.abc import Sequence

import torch

from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air, slow_fading
from tokenlink.train.adaptive.lessons import Shown

BATCH = 64
NOISE_SEED = 11


@torch.no_grad()
def budget_scores(model, shown: Shown, alphas: Sequence[float]) -> dict:
    """Accuracy without a channel, and shares of image tokens kept, at budgets.

    Parameters
    ----------
    model : AdaptiveViT
    shown : Shown
    alphas : sequence of float

    Returns
    -------
    dict   "alpha"; "accuracy", share; "kept", mean share of image tokens sent, "kept_std" over pictures; lists
    """
    found = {"alpha": list(alphas), "accuracy": [], "kept": [], "kept_std": []}
    for alpha in alphas:
        right, kept = [], []
        for pictures, labels in shown.batches(BATCH):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits, there = model(pictures, torch.full((len(labels),), alpha))
            right.append(logits.argmax(1) == labels)
            kept.append((there[:, -1] > 0).float().mean(1))
        kept = torch.cat(kept)
        found["accuracy"].append(float(torch.cat(right).float().mean()))
        found["kept"].append(float(kept.mean()))
        found["kept_std"].append(float(kept.std()))
    return found


@torch.no_grad()
def channel_scores(
    model: AdaptiveDJSCC, shown: Shown, alphas: Sequence[float], ratios: Sequence[float], snrs_db: Sequence[float],
    fading: bool = False,
) -> dict:  # fmt: skip
    """Accuracy behind a channel, for every budget, ratio and SNR; the same noise and gains for all.

    Parameters
    ----------
    model : AdaptiveDJSCC
    shown : Shown
    alphas, ratios, snrs_db : sequences of float
    fading : bool   Rayleigh, one gain a picture, of mean power 1; else the gain is 1

    Returns
    -------
    dict   "alpha", "r", "snr_db"; "accuracy", share, as list [alpha][r][snr_db]; "n_tokens", mean sent, [alpha];
           "pictures" and "fading"
    """
    right = torch.zeros(len(alphas), len(ratios), len(snrs_db))
    n_tokens = torch.zeros(len(alphas))
    for number, (pictures, labels) in enumerate(shown.batches(BATCH)):
        for a, alpha in enumerate(alphas):
            tokens, there = model.vit.device_masked(pictures, torch.full((len(labels),), alpha))
            kept = there[:, -1] > 0
            n_tokens[a] += float((1 + kept.sum(1)).sum())
            for r, ratio in enumerate(ratios):
                symbols = model.encode_masked(tokens, kept, ratio)
                for s, snr_db in enumerate(snrs_db):
                    air = _air(len(labels), snr_db, fading, NOISE_SEED + number)
                    said = _answers(model, symbols, kept, ratio, air, NOISE_SEED + number)
                    right[a, r, s] += float((said == labels).sum())
    return {
        "alpha": list(alphas), "r": list(ratios), "snr_db": list(snrs_db), "accuracy": (right / len(shown)).tolist(),
        "n_tokens": (n_tokens / len(shown)).tolist(), "pictures": len(shown), "fading": fading,
    }  # fmt: skip


def _air(batch, snr_db, fading, seed):
    gain = torch.ones(batch, dtype=torch.complex64)
    if fading:
        gain = slow_fading(batch, torch.Generator().manual_seed(seed))
    return Air(gain, torch.full((batch,), 10 ** (-snr_db / 10)))


def _answers(model, symbols, kept, ratio, air, seed):
    with torch.random.fork_rng(devices=[]), torch.autocast("cpu", dtype=torch.bfloat16):
        torch.manual_seed(seed)
        return model.decode_masked(air.equalise(air.send(symbols)), kept, ratio).argmax(1)
