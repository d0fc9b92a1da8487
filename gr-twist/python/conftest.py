# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the qa files import ``gnuradio.twist`` from the source tree."""

from pathlib import Path

import gnuradio

gnuradio.__path__.append(str(Path(__file__).parent))
