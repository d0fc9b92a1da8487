# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop on one machine: camera, twin, a radio without GNU Radio, and the runner that conducts them."""
