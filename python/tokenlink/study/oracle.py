# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy that knows what every mode would deliver: how good a sequence of modes could be at the cost of TWIST.

The loss of each mode in each slot is taken from the three static runs. With it, the modes of a sequence under a limit
of its mean cost are a knapsack, which the Lagrangian solves: all slots begin with the cheapest mode, and what saves
most loss per unit of budget is bought first. The twin's state makes slots depend on each other, which these losses do
not see. So the sequence is then run, and the best of it and of every policy that costs no more than TWIST is the
oracle's result: by construction none of them does better.
"""

from __future__ import annotations

import numpy as np

from tokenlink.control import ControlState

COST_TOLERANCE = 1e-9


class ModeSequence:
    """Policy that uses given modes.

    Parameters
    ----------
    mode_ids : int [n_frames]
    """

    def __init__(self, mode_ids):
        self._mode_ids = [int(mode_id) for mode_id in mode_ids]
        self.fallback_mode = self._mode_ids[0]

    def initial_state(self):
        """State before the first slot, with its mode."""
        return ControlState(self._mode_ids[0])

    def step(self, state, report):
        """Mode of the slot after the one reported on: (ControlState, int)."""
        mode_id = self._mode_ids[min(report.slot + 1, len(self._mode_ids) - 1)]
        return ControlState(mode_id), mode_id


def slot_losses(trace, labels, n_tokens):
    """What each slot of a run loses, float64 [n_frames]: share of wrong tokens plus share of wrong label parts."""
    loss = trace.n_mismatched / n_tokens
    if labels is None:
        return loss
    known = labels >= 0
    wrong = (known & (labels != trace.predicted)).sum(axis=1)
    return loss + wrong / np.maximum(known.sum(axis=1), 1)


def best_sequence(losses, costs, mean_cost):
    """Modes of least summed loss whose mean cost stays within a limit.

    Parameters
    ----------
    losses : float [n_modes, n_frames]   of each mode in each slot
    costs : float [n_modes]
    mean_cost : float                    limit

    Returns
    -------
    int64 [n_frames]

    Notes
    -----
    Upgrades along the lower convex hull of (cost, loss) in each slot, in order of loss saved per cost: the minimisers
    of the Lagrangian for falling multipliers. Exact where the budget is used up at one of them; the rest is filled with
    the next upgrades that still fit.
    """
    losses, costs = np.asarray(losses, float), np.asarray(costs, float)
    n_frames = losses.shape[1]
    start = int(np.argmin(costs))
    modes = np.full(n_frames, start)
    upgrades = []
    for slot in range(n_frames):
        at = start
        while (step := _steepest(losses[:, slot], costs, at)) is not None:
            saved = (losses[at, slot] - losses[step, slot]) / (costs[step] - costs[at])
            upgrades.append((-saved, slot, at, step))
            at = step
    left = mean_cost * n_frames - costs[start] * n_frames
    for _, slot, before, after in sorted(upgrades):
        price = costs[after] - costs[before]
        if modes[slot] == before and price <= left + COST_TOLERANCE:
            modes[slot], left = after, left - price
    return modes


def _steepest(losses, costs, at):
    """The dearer mode that saves most loss per cost, the cheaper of equals; None where nothing is saved."""
    better = [m for m in range(len(costs)) if costs[m] > costs[at] and losses[m] < losses[at]]
    return min(better, key=lambda m: (-(losses[at] - losses[m]) / (costs[m] - costs[at]), costs[m]), default=None)


def pick(candidates, costs, limit, labels, n_tokens):
    """The best run that costs no more than a limit.

    Parameters
    ----------
    candidates : dict of str to Trace
    costs : float [n_modes]
    limit : float   mean cost
    labels : int [n_frames, 3] or None
    n_tokens : int

    Returns
    -------
    (str, Trace)   of the smallest summed loss; the first of equals

    Raises
    ------
    ValueError   every candidate costs more
    """
    costs = np.asarray(costs, float)
    cheap = {name: t for name, t in candidates.items() if costs[t.mode_ids].mean() <= limit + COST_TOLERANCE}
    if not cheap:
        raise ValueError(f"no run has a mean cost of {limit} or less")
    return min(cheap.items(), key=lambda item: slot_losses(item[1], labels, n_tokens).sum())
