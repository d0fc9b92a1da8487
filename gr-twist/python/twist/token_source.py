# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: TokenFrame messages from the wire to PDUs."""

from tokenlink.wire import TokenFrame

from ._frame_source import frame_source


class token_source(frame_source):
    """Tokens of frames as they come from the camera node.

    At most ``max_in_flight`` frames are inside the flowgraph; further ones stay in the bounded queue of the socket, so
    that the sender notices. A Bye message ends the run.

    Parameters
    ----------
    address : str          ZMQ address, such as tcp://127.0.0.1:5555 or ipc:///tmp/tokens
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    max_in_flight : int    frames inside the flowgraph; 0: no limit; else connect ``delivered``
    stall_timeout_s : float   wait that long for a delivery before the next frame goes all the same, s; the end of the
                              run does not wait

    Ports
    -----
    delivered in : any                metadata seq of frames that reached the token sink; the end of the run that
                                      arrives there ends this block
    pdus out : int32 [n_tokens]       token_ids in raster order

    Metadata
    --------
    Sets slot, seq and source_time_s; end and reason in the PDU that ends a run.
    """

    message_type = TokenFrame

    def __init__(self, address="tcp://127.0.0.1:5555", bind=True, queue_messages=64, max_in_flight=0,
                 stall_timeout_s=1.0):
        frame_source.__init__(self, "token_source", address, bind, queue_messages, max_in_flight, stall_timeout_s)

    def to_pdu(self, message):
        return {}, message.token_ids.astype("i4")
