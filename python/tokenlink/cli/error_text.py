# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as one sentence."""


def sentence_of(error):
    """One line that says what is wrong; errors nobody expected name their type and how to see more."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError | ValueError) or type(error).__module__.startswith("tokenlink."):
        return text
    return f"unexpected {type(error).__name__}: {text}; --debug shows where"
