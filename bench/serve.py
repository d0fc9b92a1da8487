# SPDX-License-Identifier: GPL-3.0-or-later
"""What the peers of ``./twist bench ldpc`` share: arrays in, seconds out, one line of JSON each.

The file of arrays holds, for blocks of one code of TS 38.212: ``k``, ``n``, ``iterations``; ``llr`` float32
[blocks, n] in sending order, positive means 0; and for decoders that know only a parity-check matrix, its ones as
``check`` and ``bit`` (int32), its shape as ``checks`` and ``bits``, and ``codeword_llr`` float32 [blocks, bits] with
punctured bits 0. ``sample_llr`` and ``sample_codeword_llr``, with ``sample_bits`` [2, k] and ``sample_words`` [2, bits]
for what was sent, show that a peer decodes this code.
"""

import json
import sys
import time

import numpy as np


def arrays():
    """The arrays named on the command line."""
    return np.load(sys.argv[1])


def check(decoded, data):
    """End with an error unless the sample came out right: decoded bits [2, k]."""
    wrong = int((np.asarray(decoded) != data["sample_bits"]).sum())
    if wrong:
        sys.exit(f"it decodes another code than ours: {wrong} bits of the sample are wrong")


def serve(name, version, run):
    """Say what this is, then call ``run`` once for every line of standard input and answer with its seconds."""
    run()
    print(json.dumps({"name": name, "version": str(version)}), flush=True)
    for _ in sys.stdin:
        begin_s = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - begin_s}), flush=True)
