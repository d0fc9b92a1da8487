# SPDX-License-Identifier: GPL-3.0-or-later
"""A policy that knows what the twin still needs: the cheapest mode whose channel can probably carry the news.

Not in the paper. The twin says by how much the next frame will surprise it and which Es/N0 each mode needs to carry
that (`tokenlink.link.outlook`); the policy says how likely the channel is to have it, from the channel's own past.
"""

import math
from dataclasses import dataclass, replace

from tokenlink.control.policy_base import HIGH, LOW, MED, FeedbackPolicy
from tokenlink.control.slot_report import esn0_db_of

MEMORY_SLOTS = 32
ASSUMED_DB, ASSUMED_SLOTS, ASSUMED_CORRELATION = 4.0, 4, 0.5  # of a channel nobody has seen, and for how many slots
LEAST_DB = 0.25


@dataclass(frozen=True)
class ChannelMemory:
    """Mean, variance and covariance from slot to slot of the Es/N0 in dB; the older, the less.

    Notes
    -----
    The channel is taken for an autoregressive process of order 1 with Gaussian steps in dB, which is right for none of
    our channels and near enough for all: what matters is whether the last report tells of the next slot.
    """

    last_db: float
    mean_db: float
    variance: float = ASSUMED_DB**2
    covariance: float = ASSUMED_CORRELATION * ASSUMED_DB**2
    slots: int = ASSUMED_SLOTS

    def after(self, esn0_db):
        """The memory with one more slot."""
        share = 1 / min(self.slots + 1, MEMORY_SLOTS)
        mean = self.mean_db + share * (esn0_db - self.mean_db)
        here, before = esn0_db - mean, self.last_db - mean
        return ChannelMemory(esn0_db, mean, self.variance + share * (here * here - self.variance),
                             self.covariance + share * (here * before - self.covariance), self.slots + 1)

    def next_slot(self):
        """Mean and standard deviation of the Es/N0 of the slot after, dB."""
        correlation = min(max(self.covariance / max(self.variance, 1e-12), 0.0), 1.0)
        mean = self.mean_db + correlation * (self.last_db - self.mean_db)
        return mean, math.sqrt(max(self.variance * (1 - correlation**2), LEAST_DB**2))


def seen(memory, esn0_db):
    """ChannelMemory after a report; `memory` is None before the first."""
    return ChannelMemory(esn0_db, esn0_db) if memory is None else memory.after(esn0_db)


class TwinAware(FeedbackPolicy):
    """The cheapest mode that is expected to leave no more than `aware_target` of the tokens wrong.

    Where none is, the one with the least sum of what stays wrong and `aware_price` times what it costs: in a fade too
    deep for all of them that is the cheapest. Without an outlook it decides as Channel-Adaptive does.
    """

    needs_outlook = True

    def step(self, state, report):
        """Mode of the next slot; arguments and result as for the other policies."""
        if report is not None:
            state = replace(state, channel=seen(state.channel, esn0_db_of(report.channel_quality)))
        return super().step(state, report)

    def expected_mismatch(self, outlook, channel, level):
        """Share of the tokens expected to be wrong in the twin after the next slot in a mode.

        Parameters
        ----------
        outlook : Outlook
        channel : ChannelMemory
        level : str   "low", "med" or "high"

        Returns
        -------
        float   sum over the groups of the surprise times the probability that the channel cannot carry the news
        """
        mean, deviation = channel.next_slot()
        total = 0.0
        required = outlook.required_esn0_db[self.config.mode_of(level)]
        for surprise, needs_db in zip(outlook.surprise, required, strict=True):
            total += surprise * _normal((float(needs_db) + self.config.aware_gap_db - mean) / deviation)
        return float(total)

    def _decide(self, report, state):
        outlook, config = report.outlook, self.config
        if outlook is None:
            quality = report.channel_quality
            return (HIGH if quality < config.quality_low else LOW if quality >= config.quality_high else MED), None
        target = config.aware_target / (config.aware_urgency if report.priority else 1.0)
        levels = sorted((LOW, MED, HIGH), key=lambda level: outlook.cost[config.mode_of(level)])
        wrong = {level: self.expected_mismatch(outlook, state.channel, level) for level in levels}
        for level in levels:
            if wrong[level] <= target:
                return level, wrong[level]
        price = config.aware_price / (config.aware_urgency if report.priority else 1.0)
        best = min(levels, key=lambda level: wrong[level] + price * outlook.cost[config.mode_of(level)])
        return best, wrong[best]


def _normal(x):
    """Distribution function of the standard normal."""
    return 0.5 * math.erfc(-x / math.sqrt(2))
