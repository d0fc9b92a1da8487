# SPDX-License-Identifier: GPL-3.0-or-later
"""TWIST's device side: a camera's frames as tokens."""

from __future__ import annotations

from tokenlink.models import artifact
from tokenlink.models.compiled import compile_tokenizer
from tokenlink.models.twist import tokenizer


class TokenSender:
    """Tokens of frames, one after the other: a token of a part that looks the same stays.

    Parameters
    ----------
    root : Path or None   folder of the artifacts; None: those that ship
    table : ModeTable     whose codebook and grid the tokenizer must have

    Raises
    ------
    ArtifactError    weights that are missing or damaged, of another codebook size or another grid
    ModeTableError   the table is made for another codebook
    """

    def __init__(self, root, table):
        root = root or artifact.DEFAULT_DIR
        model = artifact.load("tokenizer", root, vocab_size=table.vocab_size)
        if model.config.grid != tuple(table.grid):
            grids = f"a grid of {model.config.grid}, the mode table has {table.grid}"
            raise artifact.ArtifactContentError(f"the tokenizer makes {grids}")
        table.check_codebook(artifact.read_description("tokenizer", root).get("codes_sha256"))
        self._model, self._before = compile_tokenizer(model), None

    def __call__(self, frame):
        """Tokens of the next frame: int32 [n_tokens]."""
        self._before = tokenizer.encode_image(self._model, frame.image, self._before)
        return self._before
