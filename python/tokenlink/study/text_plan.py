# SPDX-License-Identifier: GPL-3.0-or-later
"""What an evaluation of TokCode measures: ways to send texts, with packets taken away by number or by the radio.

Losses are the same for all ways: by seed and place of the text where packets are taken away, by the same gains and
noise where the radio loses them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tokenlink.study.plan import CHANNELS, channel_seed

SCHEMA_VERSION = 1
STUDIES = ("main", "air")
OURS, NONE = "tokcode", "none"
#: way to send -> artifacts that it needs besides vocabulary and sentence encoder
METHODS = {
    NONE: (), "infilling": ("tokcode_foundation",), "masked": ("tokcode_foundation",), "repetition": (), "bound": (),
    OURS: ("tokcode_encoder",),
}  # fmt: skip
ON_AIR = (NONE, "repetition", OURS)
#: packets lost of the table's five, p = 20, 40 and 60 %
LOST = (1, 2, 3)
SNRS_DB = (0.0, 3.0, 6.0, 9.0, 12.0)
REALISATIONS = 3


@dataclass(frozen=True)
class TextSetting:
    """What all results of a folder share.

    Parameters
    ----------
    origin : str       name of the file
    n_texts : int
    sha256 : str       of the texts
    vocabulary : str   SHA-256
    sentences : str    SHA-256 of the sentence encoder that judges
    """

    origin: str
    n_texts: int
    sha256: str
    vocabulary: str
    sentences: str

    def as_dict(self) -> dict:
        """Plain values: equal for two evaluations whose results belong together."""
        return {"schema": SCHEMA_VERSION, "system": OURS, "origin": self.origin, "n_texts": self.n_texts,
                "texts_sha256": self.sha256, "vocabulary_sha256": self.vocabulary,
                "sentences_sha256": self.sentences}  # fmt: skip


@dataclass(frozen=True)
class TextTask:
    """What one worker does at a time: a way to send, in some runs.

    Attributes
    ----------
    study : str        of STUDIES
    method : str       of METHODS
    runs : tuple of dict   what tells them apart
    weights : dict     artifact -> SHA-256, of those that the method needs
    """

    study: str
    method: str
    runs: tuple
    weights: dict

    def config(self, run: dict, setting: TextSetting) -> dict:
        """Configuration of one of its runs: plain values that fix its result."""
        named = {"study": self.study, "method": self.method, "weights": self.weights}
        return setting.as_dict() | named | run | {"seed": channel_seed("texts", run["realisation"])}


def texts_sha256(texts) -> str:
    """SHA-256 of some texts, in their order."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def text_tasks(study, weights, snrs_db=None, channels=None, realisations=None, methods=None, modes=(0, 1)):
    """Tasks of a study.

    Parameters
    ----------
    study : str            of STUDIES
    weights : dict         artifact -> SHA-256, of those that are there; methods that need others are left out
    snrs_db, channels, methods : sequence or None   None: those of the study
    realisations : int or None   of losses, or of noise and gains, >= 1; None: REALISATIONS
    modes : sequence of int   mode_id of packets on the air

    Raises
    ------
    ValueError   unknown names, no realisation
    """
    realisations = REALISATIONS if realisations is None else realisations
    channels = ("rayleigh",) if channels is None else channels
    chosen = tuple(METHODS) if methods is None else methods
    for name, values, legal in (("study", (study,), STUDIES), ("channel", channels, CHANNELS),
                                ("method", chosen, METHODS)):  # fmt: skip
        if unknown := set(values) - set(legal):
            raise ValueError(f"{name} is {sorted(unknown)[0]!r}, expected one of {', '.join(legal)}")
    if realisations < 1:
        raise ValueError(f"realisations is {realisations}, expected >= 1")
    if study == "main":
        runs = [{"lost": lost, "realisation": number} for number in range(realisations) for lost in LOST]
    else:
        runs = [{"channel": channel, "mode_id": mode, "esn0_db": snr, "realisation": number} for channel in channels
                for mode in modes for snr in (SNRS_DB if snrs_db is None else snrs_db)
                for number in range(realisations)]  # fmt: skip
    usable = [method for method in (METHODS if study == "main" else ON_AIR)
              if method in chosen and set(METHODS[method]) <= set(weights)]  # fmt: skip
    return [TextTask(study, method, (run,), {name: weights[name] for name in METHODS[method]})
            for method in usable for run in runs]  # fmt: skip


def left_out(study, weights, methods=None) -> list[str]:
    """Methods of a study that there are no weights for."""
    asked = METHODS if study == "main" else ON_AIR
    return [method for method in asked
            if (methods is None or method in methods) and not set(METHODS[method]) <= set(weights)]  # fmt: skip
