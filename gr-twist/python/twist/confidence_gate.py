# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: a-posteriori LLRs to tokens, confidences and erasures."""

import numpy as np

from tokenlink.link.gating import gate, thresholds_with_prior
from tokenlink.link.prior_decoding import decide_with_prior
from tokenlink.link.twist import decide_tokens

from . import keys
from ._layout import info_sizes, load
from ._payload import check_finite, read_mode, read_prior, split_groups
from .pdu_block import pdu_block
from .pdus import read_float


class confidence_gate(pdu_block):
    """MAP token of every position and its confidence; below the mode's threshold of its group a token is erased, with a
    prior that took part below a stricter one.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table; empty: the one that ships

    Ports
    -----
    pdus in : float32 [sum k_g]      a-posteriori LLR, nat, positive means 0; groups one after the other; with a prior
                                     in the metadata, the extrinsic part
    pdus out : int32 [n_tokens]      token_ids in raster order, erased ones included

    Metadata
    --------
    Reads mode_id, and prior_listed, prior_probability and prior_doubt where they are there; adds confidence float32
    [n_tokens] and erased uint8 [n_tokens], 1 = not trusted.
    """

    dtype = np.float32

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "confidence_gate")
        self._table = load(mode_table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        groups = split_groups(check_finite(payload), info_sizes(self._table))
        prior, thresholds = read_prior(metadata, self._table), self._table.token_thresholds(mode)
        if prior is None:
            token_ids, confidence = decide_tokens(groups, self._table)
        else:
            token_ids, confidence = decide_with_prior(groups, prior, self._table)
            thresholds = thresholds_with_prior(thresholds, read_float(metadata, keys.PRIOR_DOUBT))
        erased = gate(confidence, thresholds)
        self.count("erased_tokens", int(erased.sum()))
        return {keys.CONFIDENCE: confidence, keys.ERASED: erased}, token_ids
