# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this project: how they start, stop, and say what went wrong."""
