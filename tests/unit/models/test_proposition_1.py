# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposition 1 of the TWIST paper, eq. (31): token errors change the application loss by no more than their positions'
sensitivity along the path allows. Checked with the head that ships in the code, at small size."""

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.twist.head import HeadConfig, TrafficHead

CONFIG = HeadConfig(vocab_size=37, rows=2, cols=5, dim_embedding=8, dim=8, blocks=1)
STEPS = 400


def application_loss(head, embeddings):
    """Losses of frames [n, n_tokens, dim] against the label (car, no VRU, medium density), float64 [n]."""
    logits = head(embeddings)
    present, density = torch.ones_like(logits.car), torch.ones(len(embeddings), dtype=torch.long)
    return (
        F.binary_cross_entropy_with_logits(logits.car, present, reduction="none")
        + F.binary_cross_entropy_with_logits(logits.vru, 0 * present, reduction="none")
        + F.cross_entropy(logits.density, density, reduction="none")
    )


def path_sensitivity(head, start, end):
    """Eq. (30) by the midpoint rule: gradient norms per position along the straight path, float64 [n_tokens]."""
    steps = (torch.arange(STEPS, dtype=torch.float64) + 0.5) / STEPS
    points = (start + steps[:, None, None] * (end - start)).requires_grad_()
    (gradients,) = torch.autograd.grad(application_loss(head, points).sum(), points)  # each frame's loss has its own
    return gradients.norm(dim=-1).mean(dim=0)


def test_loss_change_stays_within_the_utility_weighted_bound():
    """Ten heads and error patterns, seed 9. The midpoint rule is exact to about 1e-4 of the bound here."""
    rng = np.random.default_rng(9)
    tightest = 0.0
    for trial in range(10):
        torch.manual_seed(trial)
        head = TrafficHead(CONFIG).double().eval()
        codebook = torch.from_numpy(rng.standard_normal((CONFIG.vocab_size, CONFIG.dim_embedding)))
        diameter = torch.cdist(codebook, codebook).max()
        clean = rng.integers(0, CONFIG.vocab_size, CONFIG.rows * CONFIG.cols)
        wrong = rng.random(clean.size) < rng.uniform(0.1, 0.9)
        decoded = np.where(wrong, (clean + rng.integers(1, CONFIG.vocab_size, clean.size)) % CONFIG.vocab_size, clean)
        start, end = codebook[clean], codebook[decoded]
        with torch.no_grad():
            change = application_loss(head, torch.stack([start, end])).diff().abs()
        bound = diameter * (path_sensitivity(head, start, end) * torch.from_numpy(wrong)).sum()
        assert change <= bound * (1 + 1e-4)
        tightest = max(tightest, float(change / bound))
    assert tightest > 0.01, "a bound that is never approached would hold for a broken sensitivity too"
