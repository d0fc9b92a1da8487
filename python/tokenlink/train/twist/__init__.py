# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of TWIST's networks, one readable module each."""
