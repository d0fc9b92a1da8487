# SPDX-License-Identifier: GPL-3.0-or-later
"""Our burst_synchronizer in a flowgraph, source and block on one core; for ``./twist bench sync``.

The file of arrays holds ``air`` complex64 [samples], and how many bursts are ``sent`` in it.
"""

import os
import sys

from gnuradio import blocks, gr, twist
from serve import arrays, serve

BUFFER_SAMPLES = 65536  # as behind the source of flowgraphs/usrp_rx.grc
data = arrays()
sent = int(data["sent"])
source = blocks.vector_source_c(data["air"].tolist(), False)
source.set_min_output_buffer(BUFFER_SAMPLES)


def receive():
    """Run a flowgraph until the source has nothing left."""
    top, block, sink = gr.top_block(), twist.burst_synchronizer(), blocks.message_debug()
    block.log.set_level("error")
    source.rewind()
    top.connect(source, block)
    top.msg_connect(block, "pdus", sink, "store")
    top.run()
    found = block.counts().get("passed", 0)
    if found != sent:
        sys.exit(f"it finds {found} of {sent} bursts")


os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
serve("burst_synchronizer", gr.version(), receive)
