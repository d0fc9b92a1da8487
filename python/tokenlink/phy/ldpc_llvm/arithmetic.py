# SPDX-License-Identifier: GPL-3.0-or-later
"""LLR arithmetic of the decoder in two precisions behind one set of words.

A row's messages and what reaches it are "messages", the a-posteriori LLRs of the columns are "totals". A register of
messages goes with `parts` registers of totals. Both precisions follow `ldpc_reference` bit by bit.
"""

from tokenlink.phy.ldpc_llvm.float32 import Float32
from tokenlink.phy.ldpc_llvm.int8 import Int8

ARITHMETIC = {"float32": Float32, "int8": Int8}
