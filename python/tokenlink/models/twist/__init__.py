# SPDX-License-Identifier: GPL-3.0-or-later
"""TWIST's networks: tokenizer, completion model and traffic-state head."""
