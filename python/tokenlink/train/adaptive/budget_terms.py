# SPDX-License-Identifier: GPL-3.0-or-later
"""What ties the tokens that are kept to the budget asked for: equations (7) to (9) of the paper."""

import torch
import torch.nn.functional as F

LAST_WEIGHT, EARLY_WEIGHT = 2.0, 1.0  # lambda_s and lambda_r
MARGIN = 0.02  # epsilon, share of tokens


def shares(masks: torch.Tensor) -> torch.Tensor:
    """Share of image tokens that each block keeps, with the gradient of the mean mask value.

    The paper puts the mean mask value in its place. That is met by masks of one value everywhere, where nothing is
    dropped at all; the budget that the radio needs is of tokens, as in (5).

    Parameters
    ----------
    masks : float32 [batch, blocks, positions]

    Returns
    -------
    float32 [batch, blocks]
    """
    mean = masks.mean(-1)
    return mean + ((masks > 0).float().mean(-1) - mean).detach()


def penalties(masks: torch.Tensor, alpha: torch.Tensor, margin: float = MARGIN) -> torch.Tensor:
    """B of every block, equation (7): how far its share is off the budget, less the margin.

    Parameters
    ----------
    masks : float32 [batch, blocks, positions]
    alpha : float32 [batch]
    margin : float

    Returns
    -------
    float32 [batch, blocks]
    """
    return F.relu((shares(masks) - alpha[:, None]).abs() - margin)


def budget_loss(masks: torch.Tensor, alpha: torch.Tensor, margin: float = MARGIN) -> torch.Tensor:
    """lambda_s B(s) + lambda_r R of (9), mean over the batch; R of (8) is over blocks 2 to s, over s."""
    each = penalties(masks, alpha, margin)
    early = each[:, 1:].sum(1) / each.shape[1]
    return (LAST_WEIGHT * each[:, -1] + EARLY_WEIGHT * early).mean()
