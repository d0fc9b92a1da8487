# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: what PDUs say, as curves over the last slots."""

import time

import numpy as np
from gnuradio import gr

from . import keys
from ._counting import PDUS, counting, guarded
from ._layout import load
from .pdu_block import is_end, is_lost
from .pdus import PduError, read_array, read_count, read_float, unpack

IDLE_S = 0.02
QUANTITIES = ("esn0_db", "mode_id", "erased_fraction", "group_confidence", "group_erased")


class pdu_trace(counting, gr.sync_block):
    """History of a quantity over the last slots, one curve an output, for a time display.

    Parameters
    ----------
    quantity : str     "esn0_db", "mode_id", "erased_fraction"; "group_confidence" and "group_erased" are means over
                       each group of the mode table and give a curve a group
    n_traces : int     outputs, 1 to 10; a quantity a group fills as many as there are groups, the others stay 0
    n_slots : int      length of the history, >= 2
    mode_table : str   path of the YAML mode table; empty: the one that ships

    Ports
    -----
    pdus in : any                            from the confidence gate or later
    out0, out1, ... : stream of float32      the whole history for every PDU, n_slots items, newest last

    Metadata
    --------
    Reads what the quantity needs: esn0_db, mode_id, confidence, erased.
    """

    def __init__(self, quantity="esn0_db", n_traces=1, n_slots=100, mode_table=""):
        if quantity not in QUANTITIES:
            raise ValueError(f"quantity is {quantity!r}, must be one of {', '.join(QUANTITIES)}")
        if not 1 <= n_traces <= 10:
            raise ValueError(f"n_traces is {n_traces}, must be in 1..10")
        if n_slots < 2:
            raise ValueError(f"n_slots is {n_slots}, must be >= 2")
        gr.sync_block.__init__(self, name="pdu_trace", in_sig=[], out_sig=[np.float32] * n_traces)
        self.set_output_multiple(n_slots)
        self.set_up({PDUS: self._on_pdus})
        self._quantity = quantity
        self._positions = load(mode_table).group_positions
        self._history = np.zeros((n_traces, n_slots), np.float32)
        self._fresh = self._ended = False

    def work(self, input_items, output_items):
        if not self._fresh:
            time.sleep(IDLE_S)  # a source that returns nothing is called again at once
            return -1 if self._ended else 0
        for output, history in zip(output_items, self._history, strict=True):
            output[: history.size] = history
        self._fresh = False
        return self._history.shape[1]

    @guarded
    def _on_pdus(self, pdu):
        metadata, _ = unpack(pdu)
        if is_end(metadata):
            self._ended = True
            return
        if is_lost(metadata):
            self.count("lost_slots")
            return
        values = self._values(metadata)[: len(self._history)]
        if not self.count("passed"):
            self._history[: len(values)] = np.asarray(values)[:, None]
        self._history[:, :-1] = self._history[:, 1:]
        self._history[: len(values), -1] = values
        self._fresh = True

    def _values(self, metadata):
        if self._quantity == "esn0_db":
            return [read_float(metadata, keys.ESN0_DB)]
        if self._quantity == "mode_id":
            return [read_count(metadata, keys.MODE_ID)]
        if self._quantity == "group_confidence":
            tokens = read_array(metadata, keys.CONFIDENCE, np.float32)
        else:
            tokens = read_array(metadata, keys.ERASED, np.uint8)
        if tokens.size != sum(map(len, self._positions)):
            raise PduError("wrong_length", f"metadata is about {tokens.size} tokens, not those of the mode table")
        if not np.isfinite(tokens).all():
            raise PduError("not_finite", "confidence holds NaN or infinity")
        return [tokens.mean()] if self._quantity == "erased_fraction" else [tokens[p].mean() for p in self._positions]
