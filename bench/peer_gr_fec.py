# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio's fec.ldpc_decoder in a flowgraph: belief propagation, hard output. Its LLR has the sign of -1 for 0."""

import os
import sys
import tempfile

import numpy as np
from gnuradio import blocks, fec, gr
from serve import arrays, serve, wrong_blocks

data = arrays()
SIGMA = 0.5  # of the noise: its LLR is 2 / SIGMA**2 times what it is given
UNKNOWN, LARGEST = 1e-2, 10.0  # it divides by what a bit says: one that says nothing or all makes it NaN


def write_alist(path):
    """The parity-check matrix in MacKay's format, as GNU Radio reads it."""
    checks, bits = int(data["checks"]), int(data["bits"])
    of_bit = [np.sort(data["check"][data["bit"] == bit]) + 1 for bit in range(bits)]
    of_check = [np.sort(data["bit"][data["check"] == check]) + 1 for check in range(checks)]
    lines = [f"{bits} {checks}", f"{max(map(len, of_bit))} {max(map(len, of_check))}"]
    lines += [" ".join(str(len(each)) for each in lists) for lists in (of_bit, of_check)]
    for lists in (of_bit, of_check):
        longest = max(map(len, lists))
        lines += [" ".join(map(str, [*each, *[0] * (longest - len(each))])) for each in lists]
    path.write("\n".join(lines) + "\n")


with tempfile.NamedTemporaryFile("w", suffix=".alist", delete=False) as alist:
    write_alist(alist)
decoder = fec.ldpc_decoder.make(alist.name, SIGMA, int(data["iterations"]))
os.unlink(alist.name)


def decode(llr):
    """Bits that the decoder puts out for codewords, uint8 [blocks, bits out]: some of each word, of its choice."""
    known = np.clip(np.where(llr == 0, UNKNOWN, llr), -LARGEST, LARGEST)
    top, sink = gr.top_block(), blocks.vector_sink_b()
    source = blocks.vector_source_f((-known.ravel() * SIGMA**2 / 2).tolist(), False)
    top.connect(source, fec.decoder(decoder, gr.sizeof_float, 1), sink)
    top.run()
    return np.array(sink.data(), np.uint8).reshape(len(llr), -1)


def clean(words):
    """What comes out for codewords without noise."""
    return decode(LARGEST * (1.0 - 2.0 * words))


if decode(np.full_like(data["sample_codeword_llr"], LARGEST)).any() or not clean(data["sample_words"]).any():
    sys.exit("it takes the LLR with another sign")
wrong = wrong_blocks(decode, data, words=clean)
serve("gr-fec", gr.version(), lambda: decode(data["codeword_llr"]), wrong=wrong)
