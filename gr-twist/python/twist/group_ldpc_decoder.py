# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: channel LLRs to a-posteriori LLRs of the information bits."""

import numpy as np

from tokenlink.link.prior_decoding import decode_with_prior
from tokenlink.link.prior_schedule import PriorSchedule, exchanges_of
from tokenlink.link.token_prior import SparsePrior
from tokenlink.link.twist import decode_groups

from . import keys
from ._counting import guarded
from ._layout import coded_sizes, load
from ._payload import check_finite, read_mode, split_groups
from ._waiting import waiting_line
from .pdu_block import pdu_block
from .pdus import has_entry, read_array, read_count, read_text, to_array, unpack

PRIOR = "prior"


class group_ldpc_decoder(pdu_block):
    """Soft-output LDPC decoding of every group, with what the twin expects of the slot where it is told.

    Parameters
    ----------
    mode_table : str          path of the YAML mode table; empty: the one that ships
    prior : str               "off": port ``prior`` is not listened to; "once", or "0" to "4": how often the prior of a
                              slot and the decoder tell each other; with "0" it only joins the decision
    lock_step : bool          a frame waits for the prior of its slot; else it takes what is there
    prior_timeout_s : float   wait that long at most, s; 0.2 s where priors have come before, less and less after each
                              that stays away

    Ports
    -----
    pdus in : float32 [sum n_g]    channel LLR, nat, positive means 0; groups one after the other
    prior in : float32 [n_tokens * k]   of a prior source
    pdus out : float32 [sum k_g]   LLR of the information bits, calibrated by the mode table: a-posteriori; of a frame
                                   decoded with a prior only the extrinsic part, which the gate joins with the prior

    Metadata
    --------
    Reads mode_id, and with a prior slot; adds iterations and parity_ok, one entry a group; unless off prior, and of a
    frame decoded with one prior_doubt, prior_exchanges, prior_listed and prior_probability. `counts`: prior_..., as of
    `tokenlink.link.prior_schedule`.
    """

    dtype = np.float32

    def __init__(self, mode_table="", prior="off", lock_step=False, prior_timeout_s=1.0):
        pdu_block.__init__(self, "group_ldpc_decoder", inputs={PRIOR: self._on_prior})
        self._table, self._exchanges = load(mode_table), exchanges_of(prior)
        self._priors = PriorSchedule(self._table.vocab_size, self._table.n_tokens, self._table.codes_sha256)
        self._line = waiting_line(self, PRIOR, self._priors, prior_timeout_s)
        self._waits = bool(lock_step) and self._exchanges is not None
        self._warm_up()

    def _warm_up(self):
        """Builds every code and compiles the kernels now, not in the first slots."""
        shape = self._table.n_tokens, 1
        zeros = SparsePrior(np.zeros(shape, np.int32), np.full(shape, 0.9, np.float32), self._table.vocab_size)
        for mode in self._table.modes:
            groups = [np.ones(n, np.float32) for n in coded_sizes(self._table, mode)]
            decode_groups(groups, mode, self._table)
            if self._exchanges is not None:
                decode_with_prior(groups, zeros, mode, self._table, exchanges=1)

    def counts(self):
        """Counters of the block, and of priors with the prefix prior_."""
        return pdu_block.counts(self) | {f"prior_{cause}": n for cause, n in dict(self._priors.counts).items() if n}

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        groups = split_groups(check_finite(payload), coded_sizes(self._table, mode))
        if self._exchanges is None:
            return self._decoded(*decode_groups(groups, mode, self._table))
        prior, outcome = self._priors.take(read_count(metadata, keys.SLOT))
        if prior is None:
            return self._decoded(*decode_groups(groups, mode, self._table), {keys.PRIOR: outcome})
        found = decode_with_prior(groups, prior, mode, self._table, exchanges=self._exchanges)
        told = {keys.PRIOR: outcome, keys.PRIOR_DOUBT: float(found.doubt), keys.PRIOR_EXCHANGES: int(found.exchanges),
                keys.PRIOR_LISTED: found.prior.listed.ravel(), keys.PRIOR_PROBABILITY: found.prior.probability.ravel()}
        return self._decoded(found.extrinsic_llr, found.iterations, found.parity_ok, told)

    @staticmethod
    def _decoded(llr, iterations, parity_ok, told=None):
        return {keys.ITERATIONS: iterations, keys.PARITY_OK: parity_ok, **(told or {})}, np.concatenate(llr)

    @guarded
    def _on_pdus(self, pdu):
        if not self._waits:
            pdu_block._on_pdus(self, pdu)
            return
        for each in self._line.put(pdu):
            pdu_block._on_pdus(self, each)

    @guarded
    def _on_prior(self, pdu):
        if self._exchanges is None:
            return
        metadata, vector = unpack(pdu)
        if has_entry(metadata, keys.START):
            self._priors.restart()
            self._line.restart()
        elif has_entry(metadata, keys.OVERDUE):
            self._line.give_up(read_count(metadata, keys.SLOT))
        else:
            self._take_in(metadata, to_array(vector, np.float32, "payload"))
        for each in self._line.ready():
            pdu_block._on_pdus(self, each)

    def _take_in(self, metadata, probability):
        slot, *sizes = (read_count(metadata, key) for key in (keys.SLOT, keys.VOCAB_SIZE, keys.N_TOKENS))
        listed = read_array(metadata, keys.PRIOR_LISTED, np.int32)
        cause = self._priors.put(slot, *sizes, read_text(metadata, keys.CODEBOOK), listed, probability)
        if cause != "waiting" and self._priors.counts[cause] == 1:
            why = self._priors.last_error if cause == "refused" else f"of slot {slot}"
            self.log.warn(f"{self.alias()}: a prior is not used, {cause}: {why} (further ones are only counted)")
