# SPDX-License-Identifier: GPL-3.0-or-later
"""What the twin expects of the next frame, and how a receiver comes by it: on its side of the air, slot by slot."""

from __future__ import annotations

import numpy as np

from tokenlink.link.belief import Belief
from tokenlink.link.outlook import outlook
from tokenlink.link.prior_schedule import PRIOR_CODES, Expected, PriorSchedule, exchanges_of
from tokenlink.link.token_prior import DensePrior
from tokenlink.wire import TokenPrior


class Foretelling:
    """The twin's belief, and the priors that follow from it.

    Parameters
    ----------
    predict : Belief -> float32 [n_tokens, vocab_size]   of TwinModels
    table : ModeTable
    codes : int   listed at each position
    """

    def __init__(self, predict, table, codes=PRIOR_CODES):
        self._predict, self._table = predict, table
        self._codes = min(codes, table.vocab_size - 1)
        self.belief, self._foretold = None, None

    def take(self, token_ids, erased, confidence, state):
        """Take in a slot: what the receiver decided and doubts, and the twin's completed state."""
        self.belief = Belief.after(self.belief, token_ids, erased, confidence, state)
        self._foretold = None

    def _prediction(self):
        """Of the belief, made once."""
        if self._foretold is None:
            self._foretold = self._predict(self.belief)
        return self._foretold

    def outlook(self):
        """Outlook on the slot after those taken in; None while nothing has been received."""
        return None if self.belief is None else outlook(self._prediction(), self._table)

    def prior(self, slot):
        """The TokenPrior of the slot after those taken in; empty while nothing has been received."""
        listed, probability = np.zeros(0, np.int32), np.zeros(0, np.float32)
        if self.belief is not None:
            likeliest = DensePrior(self._prediction()).sparse(self._codes)
            listed, probability = likeliest.listed.ravel(), likeliest.probability.ravel()
        table = self._table
        return TokenPrior(slot, 0, table.vocab_size, table.n_tokens, table.codes_sha256, listed, probability)


class Expectations:
    """Priors as the simulated receivers keep them, as the flowgraph's decoder does.

    Parameters
    ----------
    table : ModeTable
    choice : str   of the run, see `exchanges_of`; not "off"
    """

    def __init__(self, table, choice):
        self._schedule = PriorSchedule(table.vocab_size, table.n_tokens, table.codes_sha256)
        self._exchanges = exchanges_of(choice)

    @property
    def counts(self):
        """What became of priors and frames, as `PriorSchedule` counts it, with the prefix prior_."""
        return {f"prior_{cause}": n for cause, n in self._schedule.counts.items() if n}

    def put(self, message):
        """Take in a TokenPrior."""
        self._schedule.put(message.slot, message.vocab_size, message.n_tokens, message.codebook, message.listed,
                           message.probability)

    def decided(self, slot):
        """Whether waiting for the prior of a slot would bring nothing."""
        return self._schedule.decided(slot)

    def patience_s(self, timeout_s):
        """How long a frame may wait for its prior, s: as of `PriorSchedule.patience_s`."""
        return self._schedule.patience_s(timeout_s)

    def give_up(self):
        """A prior was waited for in vain."""
        self._schedule.give_up()

    def of(self, slot):
        """What a frame is decoded with: Expected; asked for once."""
        return Expected(*self._schedule.take(slot), self._exchanges)
