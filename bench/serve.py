# SPDX-License-Identifier: GPL-3.0-or-later
"""What the peers of ``./twist bench ldpc`` share: arrays in, seconds out, one line of JSON each.

The file of arrays holds, for blocks of one code of TS 38.212: ``k``, ``n``, ``iterations``; ``llr`` float32
[blocks, n] in sending order, positive means 0; and for decoders that know only a parity-check matrix, its ones as
``check`` and ``bit`` (int32), its shape as ``checks`` and ``bits``, and ``codeword_llr`` float32 [blocks, bits] with
punctured bits 0. ``sample_llr`` and ``sample_codeword_llr``, with ``sample_bits`` [2, k] and ``sample_words`` [2, bits]
for what was sent, show that a peer decodes this code; the same by the name of ``trial``, how well.
"""

import json
import sys
import time

import numpy as np


def arrays():
    """The arrays named on the command line."""
    return np.load(sys.argv[1])


def wrong_blocks(decode, data, kind="codeword_llr", words="bits"):
    """Blocks of the trial that a peer gets wrong; ends with an error unless the sample comes out right.

    ``decode`` makes bits [blocks, bits] of LLRs of a kind, of which those of ``words`` (an array's name, or a function
    of the codewords) come first.
    """
    wrong = {}
    for name in ("sample", "trial"):
        sent = data[f"{name}_{words}"] if isinstance(words, str) else words(data[f"{name}_words"])
        decoded = np.asarray(decode(data[f"{name}_{kind}"]))[:, : sent.shape[1]]
        wrong[name] = int((decoded != sent).any(axis=1).sum())
    if wrong["sample"]:
        sys.exit("it decodes another code than ours: the sample comes out wrong")
    return wrong["trial"]


def serve(name, version, run, **facts):
    """Say what this is and what else there is to say (``wrong``: blocks of the trial), then call ``run`` once for every
    line of standard input and answer with its seconds.
    """
    run()
    print(json.dumps({"name": name, "version": str(version), **facts}), flush=True)
    for _ in sys.stdin:
        begin_s = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - begin_s}), flush=True)
