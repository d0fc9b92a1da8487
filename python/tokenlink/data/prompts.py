# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from files, one a line: what can be read, and what was refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MAX_FILE_BYTES = 64 * 2**20
MAX_SHOWN = 60
#: every so many-th line of a training file is for validation
VALIDATION_EVERY = 20


class PromptFileError(ValueError):
    """A file of texts cannot be read, or nothing in it can be used; the message says which and why."""


@dataclass(frozen=True)
class Refused:
    """A line that was left out: ``line``, from 1 on; ``cause``, what is wrong; ``text``, how it begins."""

    line: int
    cause: str
    text: str


@dataclass(frozen=True)
class Prompts:
    """Texts of a file: ``texts`` in its order, and ``refused``, the lines that were left out."""

    texts: tuple[str, ...]
    refused: tuple[Refused, ...] = field(default=())

    def summary(self) -> str:
        """How many lines there are and how many were refused, by cause, with the first of each; one sentence."""
        if not self.refused:
            return f"{len(self.texts)} texts"
        first = {}
        for each in self.refused:
            first.setdefault(each.cause, each.line)
        counts = Counter(each.cause for each in self.refused)
        causes = [f"{count} {cause} ({'line' if count == 1 else 'first line'} {first[cause]})"
                  for cause, count in counts.items()]  # fmt: skip
        return f"{len(self.texts)} texts, {len(self.refused)} lines refused: {'; '.join(causes)}"


def read_prompts(path: str | Path, check: Callable[[str], object] | None = None) -> Prompts:
    """Texts of a UTF-8 file, one a line.

    Parameters
    ----------
    path : path
    check : function of a text   raises ValueError for one that cannot be used, with what is wrong before a colon

    Returns
    -------
    Prompts   empty lines and those that the check refused are named in `refused`

    Raises
    ------
    PromptFileError   no such file, too large, not UTF-8, or not one text that can be used
    """
    texts, refused = [], []
    for number, line in enumerate(_lines(Path(path)), 1):
        text = line.strip()
        cause = "empty" if not text else _cause(check, text)
        if cause is None:
            texts.append(text)
        else:
            refused.append(Refused(number, cause, text[:MAX_SHOWN]))
    found = Prompts(tuple(texts), tuple(refused))
    if not texts:
        raise PromptFileError(f"{path} has no text that can be used: {found.summary()}")
    return found


def _lines(path):
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise PromptFileError(f"{path} has {size} bytes, expected at most {MAX_FILE_BYTES}")
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise PromptFileError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PromptFileError(f"{path} is not UTF-8: byte {error.start} cannot be read") from None


def _cause(check, text):
    if check is None:
        return None
    try:
        check(text)
    except ValueError as error:
        return str(error).partition(":")[0]
    return None


def training_part(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Of the texts of a training file those to train on: all but every VALIDATION_EVERY-th."""
    return tuple(text for index, text in enumerate(texts) if index % VALIDATION_EVERY)


def validation_part(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Of the texts of a training file every VALIDATION_EVERY-th, to choose by; never trained on."""
    return tuple(texts[::VALIDATION_EVERY])
