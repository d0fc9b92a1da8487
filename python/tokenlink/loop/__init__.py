# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop on one machine: camera, twin, simulated radio, and the runner that conducts them."""
