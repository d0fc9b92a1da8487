# SPDX-License-Identifier: GPL-3.0-or-later
"""Physical layer as pure functions on arrays: CRC, LDPC, QAM and token packing."""
