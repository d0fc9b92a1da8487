# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: TokenPrior messages from the wire to the group LDPC decoder."""

import numpy as np

from tokenlink.wire import Bye, Hello, TokenPrior

from . import keys
from ._counting import guarded
from ._wire import receiving_block
from .pdu_block import is_end
from .pdus import new_metadata, unpack

PRIOR, DELIVERED = "prior", "delivered"


class prior_source(receiving_block):
    """What the twin expects of each slot, as it comes from the twin on the receiver's side of the air.

    Parameters
    ----------
    address : str          ZMQ address, such as tcp://127.0.0.1:5559 or ipc:///tmp/priors; empty: receive nothing
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1

    Ports
    -----
    delivered in : any   connect to the token sink: the end of the run that arrives there ends this block
    prior out : float32 [n_tokens * k]   probability of the codes listed; empty: nothing is expected of the slot

    Metadata
    --------
    Sets slot, seq, vocab_size, n_tokens, codebook and prior_listed; start in the PDU that a Hello becomes.
    """

    def __init__(self, address="tcp://127.0.0.1:5559", bind=True, queue_messages=64):
        receiving_block.__init__(self, "prior_source", address, bind, queue_messages,
                                 {DELIVERED: self._on_delivered}, (PRIOR,))

    def receive(self, message):
        if isinstance(message, TokenPrior):
            self.count("passed")
            entries = {keys.SLOT: message.slot, keys.SEQ: message.seq, keys.VOCAB_SIZE: message.vocab_size,
                       keys.N_TOKENS: message.n_tokens, keys.CODEBOOK: message.codebook,
                       keys.PRIOR_LISTED: message.listed}
            self.publish(new_metadata(entries), message.probability, PRIOR)
        elif isinstance(message, Hello):
            self.publish(new_metadata({keys.START: True}), np.zeros(0, np.float32), PRIOR)
        elif isinstance(message, Bye):
            self.count("bye")

    @guarded
    def _on_delivered(self, pdu):
        metadata, _ = unpack(pdu)
        if is_end(metadata):
            self.finish()
