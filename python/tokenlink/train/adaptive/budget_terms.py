# SPDX-License-Identifier: GPL-3.0-or-later
"""What ties the tokens that are kept to the budget asked for: equations (7) to (9) of the paper.

In (7) the mean mask value stands for the share of tokens. Masks of one value everywhere would satisfy that and drop
nothing; the share of tokens itself stands here, as in (5), with the slopes that the transformer gives it.
"""

import torch
import torch.nn.functional as F

LAST_WEIGHT, EARLY_WEIGHT = 2.0, 1.0  # lambda_s and lambda_r
MARGIN = 0.02  # epsilon, share of tokens


def penalties(kept: torch.Tensor, alpha: torch.Tensor, margin: float = MARGIN) -> torch.Tensor:
    """B of every block, equation (7): how far its share is off the budget, less the margin.

    Parameters
    ----------
    kept : float32 [batch, blocks, positions]   1 or 0, see `AdaptiveViT.device_masked`
    alpha : float32 [batch]
    margin : float

    Returns
    -------
    float32 [batch, blocks]
    """
    return F.relu((kept.mean(-1) - alpha[:, None]).abs() - margin)


def budget_loss(kept: torch.Tensor, alpha: torch.Tensor, margin: float = MARGIN) -> torch.Tensor:
    """lambda_s B(s) + lambda_r R of (9), mean over the batch; R of (8) is over blocks 2 to s, over s."""
    each = penalties(kept, alpha, margin)
    early = each[:, 1:].sum(1) / each.shape[1]
    return (LAST_WEIGHT * each[:, -1] + EARLY_WEIGHT * early).mean()
