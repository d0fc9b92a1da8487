# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: SemanticFrame messages from the wire to PDUs."""

from tokenlink.wire import SemanticFrame

from . import keys
from ._frame_source import frame_source


class semantic_source(frame_source):
    """Pictures as tokens with analogue symbols, as they come from the camera node.

    At most ``max_in_flight`` frames are inside the flowgraph; further ones stay in the bounded queue of the socket, so
    that the sender notices. A Bye message ends the run.

    Parameters
    ----------
    address : str          ZMQ address, such as tcp://127.0.0.1:5555 or ipc:///tmp/pictures
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    max_in_flight : int    frames inside the flowgraph; 0: no limit; else connect ``delivered``
    stall_timeout_s : float   wait that long for a delivery before the next frame goes all the same, s; the end of the
                              run does not wait

    Ports
    -----
    delivered in : any                metadata seq of pictures that reached the semantic sink; the end of the run
                                      that arrives there ends this block
    pdus out : complex64 [n_symbols]  symbols of the tokens, class token first

    Metadata
    --------
    Sets slot, seq, mode_id, kept uint8 [n_positions], 1 = sent, and source_time_s; end and reason in the PDU that ends
    a run.
    """

    message_type = SemanticFrame

    def __init__(self, address="tcp://127.0.0.1:5555", bind=True, queue_messages=64, max_in_flight=0,
                 stall_timeout_s=1.0):
        frame_source.__init__(self, "semantic_source", address, bind, queue_messages, max_in_flight, stall_timeout_s)

    def to_pdu(self, message):
        return {keys.MODE_ID: message.mode_id, keys.KEPT: message.kept}, message.symbols.astype("c8")
