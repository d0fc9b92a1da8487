# SPDX-License-Identifier: GPL-3.0-or-later
"""Radios behind one interface: profiles, the emulator of the virtual radio, USRPs, recordings."""
