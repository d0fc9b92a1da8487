# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: channel LLRs to a-posteriori LLRs of the information bits."""

import numpy as np

from tokenlink.link.twist import decode_groups

from . import keys
from ._layout import coded_sizes, load
from ._payload import check_finite, read_mode, split_groups
from .pdu_block import pdu_block


class group_ldpc_decoder(pdu_block):
    """Soft-output LDPC decoding of every group.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table; empty: the one that ships

    Ports
    -----
    pdus in : float32 [sum n_g]    channel LLR, nat, positive means 0; groups one after the other
    pdus out : float32 [sum k_g]   a-posteriori LLR of the information bits, calibrated by the mode table

    Metadata
    --------
    Reads mode_id; adds iterations and parity_ok, one entry a group.
    """

    dtype = np.float32

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "group_ldpc_decoder")
        self._table = load(mode_table)
        for mode in self._table.modes:  # builds every code and compiles the kernel now, not in the first slot
            decode_groups([np.ones(n, np.float32) for n in coded_sizes(self._table, mode)], mode, self._table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        groups = split_groups(check_finite(payload), coded_sizes(self._table, mode))
        app_llr, iterations, parity_ok = decode_groups(groups, mode, self._table)
        return {keys.ITERATIONS: iterations, keys.PARITY_OK: parity_ok}, np.concatenate(app_llr)
