# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the adaptive system's networks and baselines, and what they reach."""
