# SPDX-License-Identifier: GPL-3.0-or-later
"""What the burst modem can do, measured: detection, losses, impairments."""
