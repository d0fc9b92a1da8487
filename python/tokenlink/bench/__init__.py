# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the parts are, beside what else there is, and how their cost grows."""
