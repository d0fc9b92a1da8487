# SPDX-License-Identifier: GPL-3.0-or-later
"""Token link: discrete tokens over a real radio link, with soft decoding, gating and closed-loop control."""

__version__ = "0.1.0.dev0"
