# SPDX-License-Identifier: GPL-3.0-or-later
"""Command-line interface: translates options into dataclasses and calls the library."""
