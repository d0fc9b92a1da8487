# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop on two machines: the transmitting and the receiving host, and what goes between them."""
