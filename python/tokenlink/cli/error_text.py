# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as one sentence."""


def sentence_of(error):
    """One line that says what is wrong; errors nobody expected, and those without words, name their type."""
    text = " ".join(str(error).split())
    if text and (isinstance(error, OSError | ValueError) or type(error).__module__.startswith("tokenlink.")):
        return text
    return f"unexpected {type(error).__name__}{text and ': '}{text}; --debug shows where"
