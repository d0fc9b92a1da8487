# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: a simulated channel at the symbol border."""

import json
from dataclasses import replace

import numpy as np

from tokenlink.channel import TRAJECTORY_KINDS, Channel, ChannelConfig, SnrTrajectory

from . import keys
from ._payload import check_finite
from .pdu_block import pdu_block
from .pdus import PduError, read_count

MAX_SLOT = 2**22  # the channel keeps what it drew: some 100 MB with correlated fading


def parse_trajectory(text):
    """SnrTrajectory of a kind's name, or of a JSON object with its parameters; ValueError for anything else."""
    if text in TRAJECTORY_KINDS:
        return SnrTrajectory(text)
    try:
        return SnrTrajectory(**json.loads(text))
    except (TypeError, json.JSONDecodeError) as err:
        kinds = ", ".join(TRAJECTORY_KINDS)
        raise ValueError(f"trajectory is {text!r}, must be {kinds}, or JSON of a trajectory: {err}") from None


class loopback_channel(pdu_block):
    """Faded noisy symbols, y = h s + n with h fixed in a coherence block; the same seed and slot give the same h and n.

    Parameters
    ----------
    model : str                  "awgn", "rayleigh" or "rician"
    esn0_db : float              nominal Es/N0, the average over |h|^2, dB; with its trajectory in -100..100
    rician_k_db : float          Rician only: line of sight over diffuse power, dB, in -100..100
    fading_correlation : float   between the gains of neighbouring slots, in [0, 1)
    trajectory : str             change of the nominal Es/N0: "constant", "blockwise", "gauss-markov", or a JSON object
                                 such as {"kind": "blockwise", "levels_db": [0, -6], "block_slots": 20}
    seed : int                   >= 0
    coherence_blocks : int       equal parts of a frame that fade on their own, in 1..64; 1: h is fixed in a slot

    Ports
    -----
    pdus in : complex64 [n_symbols]    sent symbols, mean energy 1
    pdus out : complex64 [n_symbols]   received symbols, not equalised

    Metadata
    --------
    Reads slot, up to 2^22; adds channel_gain, n0 and esn0_db (received, |h|^2 / n0), and channel_gains where there are
    several coherence blocks.
    """

    dtype = np.complex64

    def __init__(self, model="rayleigh", esn0_db=12.0, rician_k_db=6.0, fading_correlation=0.0, trajectory="constant",
                 seed=1, coherence_blocks=1):
        pdu_block.__init__(self, "loopback_channel")
        config = ChannelConfig(model, esn0_db, rician_k_db, fading_correlation, parse_trajectory(trajectory),
                               coherence_blocks)
        self._channel = Channel(config, seed)

    def set_esn0_db(self, esn0_db):
        """Nominal Es/N0 from the next PDU on, dB; ValueError outside the range."""
        self._channel = Channel(replace(self._channel.config, esn0_db=esn0_db), self._channel.seed)

    def process(self, metadata, payload):
        slot = read_count(metadata, keys.SLOT)
        if slot > MAX_SLOT:
            raise PduError("wrong_metadata", f"slot is {slot}, must be <= {MAX_SLOT}")
        received, state = self._channel.transmit(check_finite(payload), slot)
        known = {keys.CHANNEL_GAIN: complex(state.channel_gain), keys.N0: float(state.n0),
                 keys.ESN0_DB: float(state.received_esn0_db)}
        if state.block_gains:
            known[keys.CHANNEL_GAINS] = state.gains(payload.size)
        return known, received
