# SPDX-License-Identifier: GPL-3.0-or-later
"""Receivers that are told beforehand what the twin expects: each run's prior follows from what it believes itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tokenlink.link.belief import Belief
from tokenlink.link.gating import gate, thresholds_with_prior
from tokenlink.link.outlook import outlook
from tokenlink.link.prior_decoding import decide_with_prior, decode_with_prior
from tokenlink.link.prior_schedule import CHOICES, OFF, PRIOR_CODES, exchanges_of
from tokenlink.link.token_prior import DensePrior
from tokenlink.study.outcomes import reliability_cells

GENIE = "genie"  # its twin knows the frames before the one to come, whatever was received
GENIE_EXCHANGES = 3
PRIORS = (*CHOICES, GENIE)
UNKNOWN = -1  # number of the belief of who knows nothing


@dataclass(frozen=True)
class Reception:
    """What a receiver made of a frame.

    Attributes
    ----------
    token_ids : int32 [n_tokens]
    erased : bool [n_tokens]
    confidence : float32 [n_tokens]
    cells : float64 [n_groups, N_BINS, 3] or None   as of `Outcomes.reliability`; None: they are the outcomes' own
    doubt : float       of the prior; 1: none took part
    exchanges : int
    news_bits : float   -log2 of what the prior gave the tokens that were sent, bits per token; NaN: there was no prior
    """

    token_ids: np.ndarray
    erased: np.ndarray
    confidence: np.ndarray
    cells: np.ndarray | None = None
    doubt: float = 1.0
    exchanges: int = 0
    news_bits: float = float("nan")

    @property
    def told(self):
        """Token, erasures and confidence: what completion is told."""
        return self.token_ids, self.erased, self.confidence

    @property
    def is_state(self):
        """True where the tokens are the twin's state as they are: nothing erased, or decided with a prior."""
        return self.doubt < 1 or not self.erased.any()


class StepKey(NamedTuple):
    """What a step of the simulator depends on."""

    slot: int
    state_id: int
    receiver: str
    channel_index: int
    mode_id: int
    prior: str = OFF
    belief: int = UNKNOWN

    @property
    def source(self):
        """What the reception of the slot depends on."""
        return self.receiver, self.channel_index, self.mode_id, *((self.prior, self.belief) if self.is_told else ())

    @property
    def is_told(self):
        """Whether the receiver has a prior."""
        return self.belief != UNKNOWN


class Beliefs:
    """All beliefs of the runs over a sequence, each once.

    Parameters
    ----------
    token_ids : int32 [n_frames, n_tokens]   of the camera, for the genie
    predict : list of Belief -> list of float32 [n_tokens, vocab_size]   of BatchModels
    """

    def __init__(self, token_ids, predict):
        self._sent, self._predict = token_ids, predict
        self._beliefs, self._numbers, self._foretold = [], {}, {}

    def after(self, number, reception, state):
        """Number of what is believed once a frame has been taken in by who believed `number`."""
        return self._number(Belief.after(self._of(number), *reception.told, state))

    def of_genie(self, slot):
        """Number of what the genie believes before a slot."""
        if slot == 0:
            return UNKNOWN
        before = self._sent[slot - 2] if slot > 1 else None
        return self._number(Belief(self._sent[slot - 1], np.ones(self._sent.shape[1], np.float32), before))

    def foretell(self, numbers):
        """Have what follows from some beliefs ready, and forget what followed from others."""
        self._foretold = {number: self._foretold[number] for number in numbers if number in self._foretold}
        new = sorted(set(numbers) - self._foretold.keys())
        if not new:  # also where no model could foretell anything
            return
        for number, values in zip(new, self._predict([self._beliefs[n] for n in new]), strict=True):
            self._foretold[number] = DensePrior(values)

    def outlook(self, number, table):
        """Outlook of a belief that has been foretold; None where nothing is known."""
        return None if number == UNKNOWN else outlook(self._foretold[number].probability, table)

    def receive(self, number, slot, llr, mode, table, prior):
        """Decode a frame with what a belief foretells.

        Parameters
        ----------
        number : int           of the belief, which has been foretold
        slot : int
        llr : list of float32 [n_g]
        mode, table
        prior : str            one of PRIORS but "off"

        Returns
        -------
        Reception
        """
        dense, sent = self._foretold[number], self._sent[slot]
        exchanges = GENIE_EXCHANGES if prior == GENIE else exchanges_of(prior)
        listed = dense.sparse(min(PRIOR_CODES, table.vocab_size - 1))
        found = decode_with_prior(llr, listed, mode, table, exchanges)
        token_ids, confidence = decide_with_prior(found.extrinsic_llr, found.prior, table)
        erased = gate(confidence, thresholds_with_prior(table.token_thresholds(mode), found.doubt))
        cells = reliability_cells(token_ids, confidence, sent, table)
        likelihood = dense.probability[np.arange(len(sent)), sent]
        news_bits = float(-np.log2(np.maximum(likelihood, np.finfo(np.float32).tiny)).mean())
        return Reception(token_ids, erased, confidence, cells, found.doubt, found.exchanges, news_bits)

    def _of(self, number):
        return None if number == UNKNOWN else self._beliefs[number]

    def _number(self, belief):
        if belief is None:
            return UNKNOWN
        number = self._numbers.setdefault(belief.key, len(self._beliefs))
        if number == len(self._beliefs):
            self._beliefs.append(belief)
        return number


class ToldOutcomes:
    """Stands for the outcomes of a run with a prior where they are counted: no two runs decide alike.

    Parameters
    ----------
    outcomes : Outcomes   of the same channel, without a prior
    receptions : list of Reception   of the run, by slot
    """

    def __init__(self, outcomes, receptions):
        self.states = outcomes.states
        self._outcomes, self._receptions = outcomes, receptions

    def reliability(self, slot, mode_id):
        """As `Outcomes.reliability`."""
        cells = self._receptions[slot].cells
        return self._outcomes.reliability(slot, mode_id) if cells is None else cells

    def prior_figures(self):
        """Slots with a prior, and means over slots: of doubt and exchanges, of news_bits where there was a prior."""
        told = [each for each in self._receptions if each.cells is not None]
        figures = {"n_slots": len(told), "doubt": float(np.mean([each.doubt for each in self._receptions]))}
        figures["exchanges"] = float(np.mean([each.exchanges for each in self._receptions]))
        return figures | {"news_bits": float(np.mean([each.news_bits for each in told])) if told else None}


def check_prior(prior, receiver, foresees):
    """Refuse a prior that is none, one for another receiver than "full", none for who foresees; ValueError."""
    if prior not in PRIORS:
        raise ValueError(f"prior is {prior!r}, expected one of {', '.join(PRIORS)}")
    if prior != OFF and receiver != "full":
        raise ValueError(f"prior is {prior!r} with receiver {receiver!r}, expected receiver full")
    if prior == OFF and foresees:
        raise ValueError(f"prior is {prior!r} with a policy that decides by what the twin expects, expected one of "
                         f"{', '.join(each for each in PRIORS if each != OFF)}")
