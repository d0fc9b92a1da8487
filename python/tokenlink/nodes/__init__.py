# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera node, twin node, a radio without GNU Radio, and the runner that conducts one run of them."""
