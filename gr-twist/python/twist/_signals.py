# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals end a flowgraph in order."""

import signal
import threading

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_on_signal(top_block, source, stop_after_s=None):
    """Let SIGINT, SIGTERM and SIGHUP end the run through the block it begins with; the second signal stops at once.

    Parameters
    ----------
    top_block : gr.top_block   started
    source : block             token_source, or burst_synchronizer in a receiver; its ``end`` is called, so that frames
                               inside get through and a Bye leaves
    stop_after_s : float       stop at once when the run has not ended by then, s, as with a radio that gives nothing
                               any more; None: wait
    """

    def on_signal(number, frame):
        for each in _SIGNALS:
            signal.signal(each, lambda *_: top_block.stop())
        source.end(f"stopped by {signal.Signals(number).name}")
        if stop_after_s is not None:
            timer = threading.Timer(stop_after_s, top_block.stop)
            timer.daemon = True
            timer.start()

    for each in _SIGNALS:
        signal.signal(each, on_signal)
