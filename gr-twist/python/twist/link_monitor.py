# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: a LinkReport of every frame that passes."""

import time

import numpy as np

from tokenlink.link.prior_schedule import prior_report
from tokenlink.wire import LinkReport

from . import keys
from ._counting import all_counts
from ._wire import sending_block
from .pdus import PduError, has_entry, read_array, read_complex, read_count, read_dict, read_float, read_text


class link_monitor(sending_block):
    """Reports the state of the link; the PDU is passed on even when no report can be made of it.

    ``drops`` of the report holds ``counts``, the counters of every block since the start; ``timings_s``, the seconds
    this frame spent in each block; ``in_flowgraph_s``, the time since the token source had it; and where the decoder
    takes priors ``prior``, what it made of this frame's. At the end of a run comes a Bye whose ``info`` holds the final
    counts.

    Parameters
    ----------
    address : str          ZMQ address of whoever records; empty: send nothing
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    timeout_s : float      how long to wait for room in the queue, s; the report is dropped then

    Ports
    -----
    pdus in, pdus out : any uniform vector   not touched

    Metadata
    --------
    Reads slot, channel_gain, n0, esn0_db, iterations, parity_ok, timings, source_time_s, prior, prior_doubt and
    prior_exchanges; all passed on.
    """

    dtype = None

    def __init__(self, address="", bind=False, queue_messages=64, timeout_s=1.0):
        sending_block.__init__(self, "link_monitor", address, bind, queue_messages, timeout_s)

    def process(self, metadata, payload):
        try:
            self._report(metadata)
        except PduError as err:
            self.drop(err.cause, f"report: {err}")
        except Exception as err:  # whoever watches the link must not break it
            self.drop("internal_error", f"report: {err}")
        return {}, payload

    def _report(self, metadata):
        drops = {"counts": all_counts(), "timings_s": read_dict(metadata, keys.TIMINGS)}
        if has_entry(metadata, keys.PRIOR):
            drops["prior"] = self._prior(metadata)
        if has_entry(metadata, keys.SOURCE_TIME_S):
            drops["in_flowgraph_s"] = time.monotonic() - read_float(metadata, keys.SOURCE_TIME_S)
        self.send(LinkReport(
            read_count(metadata, keys.SLOT), 0, read_float(metadata, keys.ESN0_DB),
            read_complex(metadata, keys.CHANNEL_GAIN), read_float(metadata, keys.N0),
            read_array(metadata, keys.ITERATIONS, np.int32),
            read_array(metadata, keys.PARITY_OK, np.uint8) != 0, drops))

    @staticmethod
    def _prior(metadata):
        """As `tokenlink.link.prior_schedule.prior_report` of the same frame."""
        found = has_entry(metadata, keys.PRIOR_DOUBT)
        return prior_report(read_text(metadata, keys.PRIOR), *(
            (read_float(metadata, keys.PRIOR_DOUBT), read_count(metadata, keys.PRIOR_EXCHANGES)) if found else ()))
