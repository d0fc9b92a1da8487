# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of an evaluation, each from its rows: PNG, SVG and the data that was drawn."""
