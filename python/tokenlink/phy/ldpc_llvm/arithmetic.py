# SPDX-License-Identifier: GPL-3.0-or-later
"""LLR arithmetic of the decoder in two precisions behind one set of words.

A row's messages and what reaches it are "messages", the a-posteriori LLRs of the columns are "totals". A register of
messages goes with `parts` registers of totals. Both precisions follow `ldpc_reference` bit by bit.
"""

import numpy as np

from tokenlink.phy.ldpc_llvm.float32 import LLR_LIMIT, Float32
from tokenlink.phy.ldpc_llvm.int8 import STEPS, Int8, eighths_of, message_limit

ARITHMETIC = {"float32": Float32, "int8": Int8}


def held_llr(llr, precision, alpha):
    """LLRs as a decoder holds them: clipped, int8's in whole steps. float32 of any shape, nat."""
    if precision == "float32":
        return np.clip(llr, np.float32(-LLR_LIMIT), np.float32(LLR_LIMIT))
    limit = message_limit(eighths_of(alpha)) - 1
    return np.rint(np.clip(llr * np.float32(STEPS), -limit, limit)) * np.float32(1 / STEPS)
