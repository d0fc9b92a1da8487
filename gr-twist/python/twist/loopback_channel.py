# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: a simulated channel at the symbol border."""

from dataclasses import replace

import numpy as np

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory

from . import _keys as keys
from ._block import check_finite, pdu_block
from ._pmt import PduError, read_count

MAX_SLOT = 2**24


class loopback_channel(pdu_block):
    """Faded noisy symbols, y = h s + n with h fixed in a slot; the same seed and slot give the same h and n.

    Parameters
    ----------
    model : str                  "awgn", "rayleigh" or "rician"
    esn0_db : float              nominal Es/N0, the average over |h|^2, dB
    rician_k_db : float          Rician only: line of sight over diffuse power, dB
    fading_correlation : float   between the gains of neighbouring slots, in [0, 1)
    trajectory : str             "constant", "blockwise" or "gauss-markov" change of the nominal Es/N0
    levels_db : sequence         blockwise: offsets from the nominal Es/N0, dB
    block_slots : int            blockwise: slots per level
    shuffle : bool               blockwise: levels at random instead of in order
    std_db : float               gauss-markov: stationary standard deviation, dB
    correlation : float          gauss-markov: correlation of neighbouring slots, in [0, 1)
    seed : int                   >= 0

    Ports
    -----
    pdus in : complex64 [n_symbols]    sent symbols, mean energy 1
    pdus out : complex64 [n_symbols]   received symbols, not equalised

    Metadata
    --------
    Reads slot; adds channel_gain, n0 and esn0_db (received, |h|^2 / n0).
    """

    dtype = np.complex64

    def __init__(self, model="rayleigh", esn0_db=12.0, rician_k_db=6.0, fading_correlation=0.0, trajectory="constant",
                 levels_db=(0.0, -6.0, 3.0, -3.0, 6.0), block_slots=20, shuffle=False, std_db=3.0, correlation=0.95,
                 seed=1):
        pdu_block.__init__(self, "loopback_channel")
        walk = SnrTrajectory(trajectory, levels_db, block_slots, shuffle, std_db, correlation)
        self._channel = Channel(ChannelConfig(model, esn0_db, rician_k_db, fading_correlation, walk), seed)

    def set_esn0_db(self, esn0_db):
        """Nominal Es/N0 from the next PDU on, dB."""
        self._channel = Channel(replace(self._channel.config, esn0_db=esn0_db), self._channel.seed)

    def process(self, metadata, payload):
        slot = read_count(metadata, keys.SLOT)
        if slot > MAX_SLOT:
            raise PduError("wrong_metadata", f"slot is {slot}, must be <= {MAX_SLOT}")
        received, state = self._channel.transmit(check_finite(payload), slot)
        known = {keys.CHANNEL_GAIN: complex(state.channel_gain), keys.N0: float(state.n0),
                 keys.ESN0_DB: float(state.received_esn0_db)}
        return known, received
