# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver of the paper and those it is compared with (TWIST paper, section VI-B)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Receiver:
    """What is done with a frame.

    Attributes
    ----------
    protection : str   "table": the mode table's; "uniform": one code rate for all groups, same budget
    demapping : str    "soft", or "hard": the decoder gets bits without reliabilities
    gating : bool      tokens below their threshold are erased
    completion : str   see `tokenlink.models.inference.one_frame`
    sees_doubted : bool   completion is told the erased tokens and their confidences, or nothing of them
    """

    protection: str = "table"
    demapping: str = "soft"
    gating: bool = True
    completion: str = "model"
    sees_doubted: bool = True


JPEG, ADAPTIVE = "jpeg", "adaptive"
#: what a sender makes of frames in place of tokens, under one mode
WITHOUT_TOKENS = (JPEG, ADAPTIVE)
RECEIVERS = {
    "full": Receiver(),
    "uniform": Receiver(protection="uniform"),
    "no-gating": Receiver(gating=False),
    "no-completion": Receiver(completion="none"),
    "blind-completion": Receiver(sees_doubted=False),  # the paper's completion, eq. (11): erased is unknown
    "hold": Receiver(completion="copy"),
    JPEG: Receiver(gating=False, completion="copy"),  # pictures instead of tokens, see tokenlink.study.jpeg_baseline
    ADAPTIVE: Receiver(gating=False, completion="copy"),  # analogue tokens, see tokenlink.study.scene_symbols
    "hard-only": Receiver(demapping="hard", gating=False, completion="none"),
}
