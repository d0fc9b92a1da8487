# SPDX-License-Identifier: GPL-3.0-or-later
"""Payload to symbols and back, composed from ``phy``; knows no sample rate."""
