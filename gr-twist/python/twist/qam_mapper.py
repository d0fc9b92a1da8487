# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: coded bits to symbols."""

import numpy as np

from tokenlink.link.twist import map_groups

from ._layout import coded_sizes, load
from ._payload import read_mode, split_groups
from .pdu_block import pdu_block


class qam_mapper(pdu_block):
    """Symbols of a frame, Gray mapped with the modulation of the mode table, mean energy 1.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table; empty: the one that ships

    Ports
    -----
    pdus in : uint8 0/1 [sum n_g]       coded bits, groups one after the other
    pdus out : complex64 [n_symbols]    payload symbols, groups one after the other

    Metadata
    --------
    Reads mode_id; all passed on.
    """

    dtype = np.uint8

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "qam_mapper")
        self._table = load(mode_table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        return {}, map_groups(split_groups(payload, coded_sizes(self._table, mode)), self._table)
