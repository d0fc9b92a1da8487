# SPDX-License-Identifier: GPL-3.0-or-later
"""The protection profile of a mode: every combination of code rates looked at, the best within the budget taken."""

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True)
class Profile:
    """One code rate for every group.

    Attributes
    ----------
    choice : tuple of int   index of the code rate of each group
    objective : float       sum_g U_g eps_g(p_g)
    channel_uses : int      sum_g n_g c(p_g), whole symbols a group
    feasible : bool         within the budget
    """

    choice: tuple
    objective: float
    channel_uses: int
    feasible: bool


def all_profiles(utilities, error_rates, channel_uses, budget):
    """Every profile, feasible ones first, best first.

    Parameters
    ----------
    utilities : float64 [n_groups]              U_g
    error_rates : float64 [n_groups, n_rates]   eps_g(p), token error rate after decoding
    channel_uses : int [n_groups, n_rates]      n_g c(p), symbols of the group
    budget : int                                B_m, symbols

    Returns
    -------
    list of Profile   n_rates ** n_groups of them

    Raises
    ------
    ValueError   no profile fits into the budget; the message names the least that is needed

    Notes
    -----
    TWIST paper, eq. (27), by exhaustion. Of equal objectives the cheaper profile comes first, then the one whose
    first differing group has the smaller index of rate.
    """
    error_rates, channel_uses = np.asarray(error_rates, float), np.asarray(channel_uses)
    groups = np.arange(len(utilities))
    profiles = []
    for choice in product(range(error_rates.shape[1]), repeat=len(groups)):
        chosen = list(choice)
        uses = int(channel_uses[groups, chosen].sum())
        objective = float((np.asarray(utilities) * error_rates[groups, chosen]).sum())
        profiles.append(Profile(choice, objective, uses, uses <= budget))
    profiles.sort(key=lambda p: (not p.feasible, p.objective, p.channel_uses, p.choice))
    if not profiles[0].feasible:
        least = min(p.channel_uses for p in profiles)
        raise ValueError(f"budget is {budget} channel uses, but the cheapest protection profile needs {least}")
    return profiles
