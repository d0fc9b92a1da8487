# SPDX-License-Identifier: GPL-3.0-or-later
"""Sionna (package sionna-no-rt 2): LDPC5GDecoder on one thread, min-sum, soft output. Its LLR is ln P(1)/P(0)."""

from importlib.metadata import version

import torch
from serve import arrays, serve, wrong_blocks
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

data = arrays()
torch.set_num_threads(1)
encoder = LDPC5GEncoder(int(data["k"]), int(data["n"]), num_bits_per_symbol=4)
decoder = LDPC5GDecoder(encoder, cn_update="minsum", num_iter=int(data["iterations"]), hard_out=False)
llr = -torch.from_numpy(data["llr"])


def run():
    with torch.no_grad():
        assert decoder(llr).shape == (len(llr), int(data["k"]))


with torch.no_grad():
    wrong = wrong_blocks(lambda llr: decoder(-torch.from_numpy(llr)).numpy() > 0, data, "llr")
serve("Sionna", version("sionna-no-rt"), run, wrong=wrong)
