# SPDX-License-Identifier: GPL-3.0-or-later
"""What a trained network reaches: accuracy by budget, by ratio and by SNR, and whether the budget is kept."""

from collections.abc import Sequence

import numpy as np
import torch

from tokenlink.data.imagenette import CLASSES
from tokenlink.models.adaptive.adaptive_vit import as_input
from tokenlink.models.adaptive.baselines import MobileDJSCC, capacity_bits, jpeg_to_fit, resized_to_fit
from tokenlink.models.adaptive.batches import on_the_device
from tokenlink.models.adaptive.djscc import Air, slow_fading
from tokenlink.models.adaptive.shown import Shown

BATCH = 64
NOISE_SEED = 11
CHANCE = 1 / len(CLASSES)


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
    model: torch.nn.Module, shown: Shown, alphas: Sequence[float], ratios: Sequence[float], snrs_db: Sequence[float],
    fading: bool = False,
) -> dict:  # fmt: skip
    """Accuracy behind a channel, for every budget, ratio and SNR; the same noise and gains for all.

    Parameters
    ----------
    model : AdaptiveDJSCC or MobileDJSCC   the latter has no budgets and gives the same for all
    shown : Shown
    alphas, ratios, snrs_db : sequences of float
    fading : bool   Rayleigh, one gain a picture, of mean power 1; else the gain is 1

    Returns
    -------
    dict   "alpha", "r", "snr_db"; "accuracy", share, as list [alpha][r][snr_db]; "n_tokens", mean sent, [alpha];
           "channel_uses", mean, [alpha][r]; "pictures" and "fading"
    """
    right = torch.zeros(len(alphas), len(ratios), len(snrs_db))
    n_tokens, uses = torch.zeros(len(alphas)), torch.zeros(len(alphas), len(ratios))
    for number, (pictures, labels) in enumerate(shown.batches(BATCH)):
        for a, alpha in enumerate(alphas):
            batch = on_the_device(model, pictures, alpha)
            n_tokens[a] += float(batch.n_sent.sum())
            for r, ratio in enumerate(ratios):
                symbols = batch.encode(ratio)
                uses[a, r] += float(batch.n_sent.sum()) * symbols.shape[-1]
                for s, snr_db in enumerate(snrs_db):
                    arrived = through(symbols, snr_db, fading, NOISE_SEED + number)
                    with torch.autocast("cpu", dtype=torch.bfloat16):
                        said = batch.decode(arrived, ratio).argmax(1)
                    right[a, r, s] += float((said == labels).sum())
    return {
        "alpha": list(alphas), "r": list(ratios), "snr_db": list(snrs_db), "accuracy": (right / len(shown)).tolist(),
        "n_tokens": (n_tokens / len(shown)).tolist(), "channel_uses": (uses / len(shown)).tolist(),
        "pictures": len(shown), "fading": fading,
    }  # fmt: skip


def through(symbols, snr_db, fading, seed):
    """Equalised symbols behind a channel whose noise and gains a seed decides."""
    batch, generator = len(symbols), torch.Generator().manual_seed(seed)
    gain = slow_fading(batch, generator) if fading else torch.ones(batch, dtype=torch.complex64)
    air = Air(gain, torch.full((batch,), 10 ** (-snr_db / 10)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return air.equalise(air.send(symbols))


def useful_esn0_db(scores: dict) -> list[list[float]]:
    """From which Es/N0 on each pair of budget and ratio is of use, for a mode table.

    Parameters
    ----------
    scores : dict   of `channel_scores`

    Returns
    -------
    list [alpha][r] of float
        dB, rounded up to tenths: from where accuracy, linear between the SNRs that were measured, stays at least half
        way from chance to the pair's best; the lowest SNR that was measured where it always does.
    """
    snr_db = np.asarray(scores["snr_db"], float)
    return [[_rises_above(snr_db, np.asarray(each)) for each in row] for row in scores["accuracy"]]


def _rises_above(snr_db, accuracy):
    level = (CHANCE + accuracy.max()) / 2
    below = np.flatnonzero(accuracy < level)
    if not len(below):
        return float(snr_db[0])
    if below[-1] == len(snr_db) - 1:  # worse again in the best channel
        return float(snr_db[-1])
    i = below[-1]
    part = (level - accuracy[i]) / (accuracy[i + 1] - accuracy[i])
    return float(np.ceil(10 * (snr_db[i] + part * (snr_db[i + 1] - snr_db[i])) - 1e-9) / 10)


@torch.no_grad()
def mobile_accuracy(model: MobileDJSCC, shown: Shown) -> float:
    """Share of right answers without a channel."""
    right = [model(pictures).argmax(1) == labels for pictures, labels in shown.batches(BATCH)]
    return float(torch.cat(right).float().mean())


@torch.no_grad()
def digital_scores(vit, shown: Shown, method: str, channel_uses: Sequence[int], snrs_db: Sequence[float]) -> dict:
    """Accuracy of the transformer on pictures that went as bits at capacity; those that do not fit count as wrong.

    Parameters
    ----------
    vit : AdaptiveViT      that reads what arrives, with the whole budget
    shown : Shown
    method : str           of METHODS
    channel_uses : sequence of int
    snrs_db : sequence of float

    Returns
    -------
    dict   "channel_uses", "snr_db"; "accuracy", share, and "fits", share of pictures, lists [channel_uses][snr_db]
    """
    bits = [[capacity_bits(uses, snr_db) for snr_db in snrs_db] for uses in channel_uses]
    found = {each: _one_budget(vit, shown, METHODS[method], each) for each in sorted({n for row in bits for n in row})}
    return {
        "channel_uses": list(channel_uses), "snr_db": list(snrs_db),
        "accuracy": [[found[n][0] for n in row] for row in bits], "fits": [[found[n][1] for n in row] for row in bits],
    }  # fmt: skip


METHODS = {"resize": resized_to_fit, "jpeg": jpeg_to_fit}


def _one_budget(vit, shown, fit, max_bits):
    """Accuracy, and share of pictures that fit into so many bits."""
    arrived = [fit(shown.picture(i), max_bits) for i in range(len(shown))]
    there = [i for i, picture in enumerate(arrived) if picture is not None]
    right = 0
    for first in range(0, len(there), BATCH):
        chosen = there[first : first + BATCH]
        pictures = as_input(torch.from_numpy(np.stack([arrived[i] for i in chosen])).permute(0, 3, 1, 2))
        logits, _ = vit(pictures, torch.ones(len(chosen)))
        right += int((logits.argmax(1) == shown.labels[chosen]).sum())
    return right / len(shown), len(there) / len(shown)
