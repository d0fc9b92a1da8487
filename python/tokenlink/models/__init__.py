# SPDX-License-Identifier: GPL-3.0-or-later
"""Torch models of the token link: tokenizer, completion, traffic-state head, and the artifacts with their weights."""
