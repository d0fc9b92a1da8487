# SPDX-License-Identifier: GPL-3.0-or-later
"""How much each token position matters to the application: the mean length of the loss's gradient there."""

import numpy as np
import torch

from tokenlink.models.twist.head import traffic_loss


def token_utility(head, embeddings, token_ids, labels, batch=32, progress=lambda done, total: None):
    """Utility of every token position.

    Parameters
    ----------
    head : TrafficHead
    embeddings : float32 [vocab_size, dim]   embedding of every code
    token_ids : integer [n, n_tokens]        clean tokens of the calibration frames
    labels : int [n, 3]                      car, VRU, density class
    batch : int                              frames at once; does not change the result
    progress : callable                      called with (frames done, n)

    Returns
    -------
    float64 [n_tokens]   u_i, mean over frames of || dL_app / de_i ||_2

    Raises
    ------
    ValueError   no frames

    Notes
    -----
    TWIST paper, eq. (17), (18).
    """
    if len(token_ids) == 0:
        raise ValueError("there are no frames to measure the utility on, expected at least one")
    total = np.zeros(token_ids.shape[1])
    for start in range(0, len(token_ids), batch):
        chosen = slice(start, start + batch)
        total += gradient_lengths(head, embeddings, token_ids[chosen], labels[chosen]).sum(0)
        progress(min(start + batch, len(token_ids)), len(token_ids))
    return total / len(token_ids)


def gradient_lengths(head, embeddings, token_ids, labels):
    """|| dL_app / de_i ||_2 of each frame and position, float64 [n, n_tokens]; arguments as for `token_utility`."""
    head.eval()
    points = embeddings[torch.from_numpy(np.asarray(token_ids, np.int64))].detach().requires_grad_()
    truth = torch.from_numpy(np.asarray(labels, np.int64))
    # No frame's loss depends on another's embeddings, so that the gradient of the sum holds that of each.
    loss = traffic_loss(head(points), truth[:, 0], truth[:, 1], truth[:, 2]).sum()
    (gradient,) = torch.autograd.grad(loss, points)
    return gradient.double().norm(dim=-1).numpy()
