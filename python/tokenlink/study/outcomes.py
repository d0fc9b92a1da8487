# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio delivers in every slot and mode. It does not depend on the policy, so it is computed once for all.

The same functions as in the radio nodes: `link.twist` and `channel`, many frames at once.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from tokenlink.channel.noise import apply
from tokenlink.link.twist import decide_tokens, decode_frames, decode_groups, demap_groups, encode_frames

DEMAPPINGS = ("soft", "hard")
CODE_RATES = (Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(5, 6))
N_BINS = 20
CHUNK_FRAMES = 32
# Reliability of a hard bit as the decoder gets it. Normalised min-sum gives the same bits for any other value.
HARD_LLR = np.float32(4.0)


class Outcomes:
    """Tokens and confidences of every slot and mode of one sequence over one channel, computed when asked for.

    Parameters
    ----------
    token_ids : integer [n_frames, n_tokens]   what is sent
    channel : Channel                          its configuration and seed fix every slot
    table : ModeTable
    demapping : str   "soft"; "hard": the decoder gets bits without reliabilities

    Attributes
    ----------
    states : list of ChannelState [n_frames]
    """

    def __init__(self, token_ids, channel, table, demapping="soft"):
        if demapping not in DEMAPPINGS:
            raise ValueError(f"demapping is {demapping!r}, expected one of {', '.join(DEMAPPINGS)}")
        self._sent = np.asarray(token_ids, np.int32)
        self._channel, self._table, self._hard = channel, table, demapping == "hard"
        shape = (len(table.modes), *self._sent.shape)
        self._token_ids = np.zeros(shape, np.int16 if table.vocab_size <= 2**15 else np.int32)
        self._confidence = np.zeros(shape, np.float32)
        self._done = np.zeros(shape[:2], bool)
        self.states = [channel.draw(slot) for slot in range(len(self._sent))]

    def compute(self, mode_id, slots=None):
        """Have the outcomes of a mode ready for some slots, or for all."""
        slots = np.arange(len(self._sent)) if slots is None else np.asarray(slots)
        slots = slots[~self._done[mode_id, slots]]
        for first in range(0, len(slots), CHUNK_FRAMES):
            self._compute(mode_id, slots[first : first + CHUNK_FRAMES])

    def _compute(self, mode_id, slots):
        decide = self._decide_hard if self._hard else self._decide
        token_ids, confidence = decide(*self._received(mode_id, slots), self._table.mode(mode_id))
        self._token_ids[mode_id, slots] = token_ids
        self._confidence[mode_id, slots] = np.clip(confidence, 0, 1)
        self._done[mode_id, slots] = True

    def _received(self, mode_id, slots):
        """Symbols [n, n_symbols] as they come out of the channel, channel gain [n], or [n, n_symbols], and n0 [n]."""
        sent = encode_frames(self._sent[slots], self._table.mode(mode_id), self._table)
        states = [self.states[slot] for slot in slots]
        received = np.stack([
            apply(symbols, state, self._channel.noise_rng(state.slot))
            for symbols, state in zip(sent, states, strict=True)
        ])  # fmt: skip
        gains = np.array([state.gains(sent.shape[1]) for state in states])
        return received, gains, np.array([state.n0 for state in states])

    def llr(self, slot, mode_id):
        """LLRs of the channel, for receivers that decode on their own: list of float32 [n_g]."""
        (symbols,), (gain,), (n0,) = self._received(mode_id, [slot])
        return demap_groups(symbols, gain, n0, self._table.mode(mode_id), self._table)

    def _decide(self, received, gain, n0, mode):
        decision = decode_frames(received, gain, n0, mode, self._table)
        return decision.token_ids, decision.confidence

    def _decide_hard(self, received, gain, n0, mode):
        llr = demap_groups(received, gain.reshape(len(gain), -1), n0[:, None], mode, self._table)
        return decide_tokens(decode_groups([harden(values) for values in llr], mode, self._table)[0], self._table)

    def get(self, slot, mode_id):
        """Tokens int32 [n_tokens] and confidences float32 [n_tokens] of a slot in a mode."""
        if not self._done[mode_id, slot]:
            self.compute(mode_id, [slot])
        return self._token_ids[mode_id, slot].astype(np.int32), self._confidence[mode_id, slot]

    def reliability(self, slot, mode_id):
        """How often tokens were right at each confidence, before the gate.

        Returns
        -------
        float64 [n_groups, N_BINS, 3]   tokens, sum of confidences, correct tokens; bins of equal width over [0, 1]
        """
        return reliability_cells(*self.get(slot, mode_id), self._sent[slot], self._table)


def reliability_cells(token_ids, confidence, sent, table):
    """As `Outcomes.reliability`, of tokens [n_tokens] that a receiver has decided."""
    cell = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1) + N_BINS * table.group_map
    sums = [np.bincount(cell, weight, table.n_groups * N_BINS) for weight in (None, confidence, token_ids == sent)]
    return np.stack(sums, axis=-1).reshape(table.n_groups, N_BINS, 3).astype(float)


def harden(llr):
    """LLRs float32 as a demapper without soft output gives them: the bits, all equally reliable."""
    return np.where(llr < 0, -HARD_LLR, HARD_LLR)


def uniform_table(table, code_rates=None):
    """The table with one code rate for all groups of a mode: the strongest that fits its budget.

    Parameters
    ----------
    table : ModeTable
    code_rates : tuple of Fraction or None   to choose from; None: CODE_RATES, and those of the table

    Returns
    -------
    ModeTable

    Raises
    ------
    ValueError   no rate fits the budget of a mode
    """
    if code_rates is None:
        code_rates = sorted({*CODE_RATES, *(rate for mode in table.modes for rate in mode.code_rates)})
    scale = dict(table.llr_scale)
    for rate in code_rates:
        scale.setdefault(rate, table.llr_scale[min(table.llr_scale, key=lambda known: abs(known - rate))])
    modes = []
    for mode in table.modes:
        even = [replace(mode, code_rates=(rate,) * table.n_groups) for rate in sorted(code_rates)]
        fitting = [each for each in even if table.total_channel_uses(each) <= mode.budget]
        if not fitting:
            raise ValueError(f"no code rate of {', '.join(map(str, code_rates))} fits the budget {mode.budget} of mode "
                             f"{mode.name} in all groups")  # fmt: skip
        modes.append(fitting[0])
    return replace(table, modes=tuple(modes), llr_scale=scale)
