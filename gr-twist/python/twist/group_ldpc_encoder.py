# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: information bits to coded bits, one LDPC codeword a group."""

import numpy as np

from tokenlink.link.twist import encode_groups

from ._layout import info_sizes, load
from ._payload import read_mode, split_groups
from .pdu_block import pdu_block


class group_ldpc_encoder(pdu_block):
    """Coded bits of every group, each at the code rate its mode gives it.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table; empty: the one that ships

    Ports
    -----
    pdus in : uint8 0/1 [sum k_g]    information bits, groups one after the other
    pdus out : uint8 0/1 [sum n_g]   coded bits, groups one after the other

    Metadata
    --------
    Reads mode_id; all passed on.
    """

    dtype = np.uint8

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "group_ldpc_encoder")
        self._table = load(mode_table)
        for mode in self._table.modes:  # builds every code now, not in the first slot
            encode_groups([np.zeros(k, np.uint8) for k in info_sizes(self._table)], mode, self._table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        groups = split_groups(payload, info_sizes(self._table))
        return {}, np.concatenate(encode_groups(groups, mode, self._table))
