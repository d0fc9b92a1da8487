# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: takes packets away by a model of losses, in the place of a radio."""

from tokenlink.channel.packet_loss import PacketLosses, loss_named

from . import keys
from .pdu_block import pdu_block
from .pdus import read_count, with_values


class packet_eraser(pdu_block):
    """Loses packets; the same model, seed and slot lose the same. What follows is told of each as of a slot of which
    nothing came.

    Parameters
    ----------
    loss : str        "fixed:2" packets of every sequence, "independent:0.4", or "gilbert-elliott:TO_BAD,TO_GOOD", with
                      the probabilities of a loss in the good and the bad state behind them where they are not 0 and 1
    n_packets : int   of a sequence, >= 1
    seed : int        >= 0

    Ports
    -----
    pdus in, pdus out : any uniform vector   empty with lost

    Metadata
    --------
    Reads slot; adds lost. `counts`: erased.
    """

    dtype = None

    def __init__(self, loss="fixed:2", n_packets=5, seed=1):
        pdu_block.__init__(self, "packet_eraser")
        self._losses = PacketLosses(loss_named(loss), n_packets, seed)

    def process(self, metadata, payload):
        sequence, index = divmod(read_count(metadata, keys.SLOT), self._losses.n_packets)
        if self._losses.lost(sequence)[index]:
            self.count("erased")
            self.on_lost(with_values(metadata, {keys.LOST: True}))
            return None
        return {}, payload
