# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of texts by name: a file with one a line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qsl

from tokenlink.data.prompts import Prompts, read_prompts

LEGAL_FORMS = ("text:FILE[?long=split]", "FILE (of texts, one a line)")
LONG = ("refuse", "split")
DEMO = "demo_texts.txt"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Text:
    """One text. ``name``: which of which file, such as "prompts.txt, text 3"."""

    text: str
    name: str


@dataclass
class TextSource:
    """The texts of a file, in order.

    Attributes
    ----------
    prompts : Prompts
    origin : str          what they are, for readers
    splits : bool         whether texts that are too long for a model shall come in parts
    n_skipped : int       lines that are no texts
    """

    prompts: Prompts
    origin: str
    splits: bool = False
    n_skipped: int = field(default=0)

    def __len__(self) -> int:
        return len(self.prompts.texts)

    def __iter__(self) -> Iterator[Text]:
        self.n_skipped = len(self.prompts.refused)
        if self.n_skipped:
            _log.warning("%s: %s", self.origin, self.prompts.summary())
        for number, text in enumerate(self.prompts.texts, 1):
            yield Text(text, f"{self.origin}, text {number}")


def open_texts(spec: str) -> TextSource:
    """The source a text names.

    Parameters
    ----------
    spec : str   one of LEGAL_FORMS

    Raises
    ------
    ValueError        no legal form
    PromptFileError   no such file, no text in it, or not UTF-8
    """
    form, colon, rest = str(spec).partition(":")
    if colon and form != "text":
        raise ValueError(f"wrong source {spec!r}, expected one of {', '.join(LEGAL_FORMS)}")
    name, _, query = (rest if colon else str(spec)).partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(options) - {"long"})
    if unknown:
        raise ValueError(f"wrong source {spec!r}: it has {', '.join(unknown)}, expected long")
    long = options.get("long", LONG[0])
    if long not in LONG:
        raise ValueError(f"wrong source {spec!r}: long is {long!r}, expected one of {', '.join(LONG)}")
    return TextSource(read_prompts(Path(name)), Path(name).name, long == "split")


def demo_texts() -> str:
    """Source of the texts that ship."""
    return f"text:{resources.files('tokenlink.data') / DEMO}"
