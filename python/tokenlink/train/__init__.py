# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the tokenizer, the traffic-state head and the completion model: one resumable command each."""
