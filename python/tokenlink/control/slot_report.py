# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller hears about the slot before."""

from dataclasses import dataclass, field

import numpy as np

from tokenlink.link.outlook import Outlook

WORST_DB, BEST_DB = -5.0, 20.0


@dataclass(frozen=True)
class Report:
    """Feedback on one slot.

    Parameters
    ----------
    slot : int               the slot reported on
    erased_fraction : float  u, eq. (23), in [0, 1]
    drift : float            d, share of tokens that differ from the previous twin state, eq. (24), in [0, 1]
    channel_quality : float  gamma normalised to [0, 1], see ``channel_quality``
    priority : int           pi, 1 when the frame is urgent, else 0
    outlook : Outlook or None   what the twin expects of the next frame; None: it has no predictor

    Raises
    ------
    ValueError   a value outside its range, NaN included
    """

    slot: int
    erased_fraction: float
    drift: float
    channel_quality: float
    priority: int = 0
    outlook: Outlook | None = field(default=None, compare=False)

    def __post_init__(self):
        for name in ("erased_fraction", "drift", "channel_quality"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value}, expected 0 to 1")
        if self.priority not in (0, 1):
            raise ValueError(f"priority is {self.priority}, expected 0 or 1")


def channel_quality(esn0_db, worst_db=WORST_DB, best_db=BEST_DB):
    """Received Es/N0 mapped linearly in dB to [0, 1]: 0 at ``worst_db`` and below, 1 at ``best_db`` and above.

    Parameters
    ----------
    esn0_db : float            received Es/N0, |h|^2 included, dB; -inf gives 0
    worst_db, best_db : float  ends of the scale, worst_db < best_db

    Returns
    -------
    float   in [0, 1]

    Raises
    ------
    ValueError   esn0_db is NaN, or worst_db >= best_db
    """
    if np.isnan(esn0_db):
        raise ValueError("esn0_db is nan, expected a number of dB")
    if not worst_db < best_db:
        raise ValueError(f"worst_db is {worst_db}, expected less than best_db, which is {best_db}")
    return float(np.clip((esn0_db - worst_db) / (best_db - worst_db), 0.0, 1.0))


def esn0_db_of(quality):
    """Es/N0 in dB that `channel_quality` made of a quality in [0, 1]; at the ends of the scale, the end."""
    return WORST_DB + quality * (BEST_DB - WORST_DB)


def drift(state, previous):
    """d, eq. (24): share of tokens int [n_tokens] that differ from the previous state; 0 where there is none."""
    return 0.0 if previous is None else float((state != previous).mean())


def observe(slot, state, previous, erased, esn0_db, priority=0, outlook=None):
    """The report on one slot as the twin sees it.

    Parameters
    ----------
    slot : int
    state : int [n_tokens]              the completed state
    previous : int [n_tokens] or None   the state before
    erased : bool [n_tokens]
    esn0_db : float                     received Es/N0, dB
    priority : int                      0 or 1
    outlook : Outlook or None           what the twin expects of the next frame

    Returns
    -------
    Report   u of eq. (23), d of eq. (24), gamma as `channel_quality`
    """
    return Report(slot, float(erased.mean()), drift(state, previous), channel_quality(esn0_db), priority, outlook)
