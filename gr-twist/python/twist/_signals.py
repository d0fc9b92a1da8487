# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals end a flowgraph in order."""

import signal


def end_on_signal(top_block, source):
    """Let SIGINT and SIGTERM end the run through its token source; the second signal stops at once.

    Parameters
    ----------
    top_block : gr.top_block   started
    source : token_source      its ``end`` is called, so that frames inside get through and a Bye leaves
    """

    def on_signal(number, frame):
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: top_block.stop())
        source.end(f"stopped by {signal.Signals(number).name}")

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, on_signal)
