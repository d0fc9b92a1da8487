# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: what a radio reports about itself, counted by kind, and whether the run is valid."""

import json

import pmt

from ._counting import all_counts, guarded
from .pdu_block import message_block
from .pdus import PduError

ASYNC_MSGS = "async_msgs"
LATE = ("time_error",)
UNDERFLOW = ("underflow", "underflow_in_packet")
LOST = ("seq_error", "seq_error_in_burst")
KINDS = ("burst_ack", *UNDERFLOW, *LOST, *LATE)


class radio_events(message_block):
    """Counts the asynchronous messages of a transmitter: a USRP sink or a virtual sink.

    A packet that was lost on its way to the device makes a run not valid in any case.

    Parameters
    ----------
    report_file : str     JSON of all counters of the flowgraph, by block and cause, and whether the run is valid,
                          written when it stops; empty: none
    max_late : int        bursts that came too late in a run that is still valid, >= 0
    max_underflow : int   bursts whose samples did not follow each other in time, >= 0

    Ports
    -----
    async_msgs in : pair of uhd_async_msg and a dictionary with event_code, a list of names

    Metadata
    --------
    None. `counts`: the events by their UHD names, such as burst_ack, underflow and time_error (late); unknown_event.
    """

    def __init__(self, report_file="", max_late=0, max_underflow=0):
        message_block.__init__(self, "radio_events", {ASYNC_MSGS: self._on_message})
        for name, value in (("max_late", max_late), ("max_underflow", max_underflow)):
            if value < 0:
                raise ValueError(f"{name} is {value}, must be >= 0")
        self._file, self._max_late, self._max_underflow = report_file, max_late, max_underflow

    def verdict(self):
        """Whether the run is valid so far: "valid", "late", "underflow", "lost_packets", and "counts" of all blocks."""
        own = self.counts()
        late, underflow, lost = (sum(own.get(kind, 0) for kind in kinds) for kinds in (LATE, UNDERFLOW, LOST))
        valid = late <= self._max_late and underflow <= self._max_underflow and not lost
        sums = {"late": late, "underflow": underflow, "lost_packets": lost}
        return {"valid": valid, **sums, "counts": all_counts()}

    def stop(self):
        """Called by the scheduler at the end: write the report, warn about a run that is not valid."""
        report = self.verdict()
        if not report["valid"]:
            sums = (f"{name} {report[name]}" for name in ("late", "underflow", "lost_packets"))
            self.log.warn(f"this run is NOT valid: {', '.join(sums)}")
        if self._file:
            try:
                with open(self._file, "w") as file:
                    json.dump(report, file, indent=2)
            except OSError as err:
                self.log.error(f"the report cannot be written: {err}")
        return message_block.stop(self)

    @guarded
    def _on_message(self, message):
        codes = pmt.PMT_NIL
        if pmt.is_pair(message) and pmt.is_dict(pmt.cdr(message)):
            codes = pmt.dict_ref(pmt.cdr(message), pmt.intern("event_code"), pmt.PMT_NIL)
        if not pmt.is_pair(codes):
            raise PduError("not_an_event", "message is no pair whose dictionary has a list event_code")
        while pmt.is_pair(codes):
            kind = pmt.symbol_to_string(pmt.car(codes)) if pmt.is_symbol(pmt.car(codes)) else ""
            self.count(kind if kind in KINDS else "unknown_event")
            codes = pmt.cdr(codes)
