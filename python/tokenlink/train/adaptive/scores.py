# SPDX-License-Identifier: GPL-3.0-or-later
"""What a trained network reaches: accuracy by budget, by ratio and by SNR, and whether the budget is kept."""

import torch

BATCH = 64


@torch.no_grad()
def budget_scores(model, shown, alphas) -> dict:
    """Accuracy without a channel, and shares of image tokens kept, at budgets.

    Parameters
    ----------
    model : AdaptiveViT
    shown : Shown
    alphas : sequence of float

    Returns
    -------
    dict   "alpha", "accuracy" (share), "kept" (mean share of tokens sent), "kept_std" (over pictures), lists
    """
    found = {"alpha": list(alphas), "accuracy": [], "kept": [], "kept_std": []}
    for alpha in alphas:
        right, kept = [], []
        for pictures, labels in shown.batches(BATCH):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits, masks = model(pictures, torch.full((len(labels),), alpha))
            right.append(logits.argmax(1) == labels)
            kept.append((masks[:, -1] > 0).float().mean(1))
        kept = torch.cat(kept)
        found["accuracy"].append(float(torch.cat(right).float().mean()))
        found["kept"].append(float(kept.mean()))
        found["kept_std"].append(float(kept.std()))
    return found
