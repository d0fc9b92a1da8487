# SPDX-License-Identifier: GPL-3.0-or-later
"""The twin's models as functions on arrays, for one frame as the twin node runs them, and for many with equal results.

Sums of floats depend on the shape of a batch in their last bits, so that a token or a state that is nearly a tie could
come out otherwise in a batch. `BatchModels` therefore looks at how clear each decision is: what is closer than
`TIE_MARGIN`, twelve times the differences that occur, is decided again by the functions for one frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tokenlink.models import artifact
from tokenlink.models.compiled import (
    InferenceCompletion,
    InferenceHead,
    InferencePredictor,
    compile_tokenizer,
    engine_version,
)
from tokenlink.models.twist.completion import fill_erased
from tokenlink.models.twist.head import read_state

COMPLETIONS = ("model", "copy", "none")
NO_TOKEN = -1
TIE_MARGIN = 3e-4
BATCH = 8


class ModelMismatchError(artifact.ArtifactError):
    """Models that do not fit the mode table or each other."""


@dataclass(frozen=True)
class TwinModels:
    """The learned parts as functions, so that the twin knows no framework.

    Attributes
    ----------
    complete : (token_ids int32 [n_tokens], erased bool, confidence float32, previous int32 or None) -> int32 [n_tokens]
    read : token_ids int32 [n_tokens] -> dict of car and vru (bool) and density (0..2)
    predict : link.belief.Belief -> float32 [n_tokens, vocab_size], each row of which adds up to 1; or None: the
        artifacts hold no predictor
    """

    complete: callable
    read: callable
    predict: callable | None = None


@dataclass(frozen=True)
class Networks:
    """Tokenizer, completion model, head and, where there is one, predictor that fit each other, see `load_networks`."""

    tokenizer: torch.nn.Module
    completion: InferenceCompletion
    head: InferenceHead
    predictor: InferencePredictor | None = None


def load_networks(root, table, engine=None) -> Networks:
    """Load and check the models of a twin, compiled for inference, see `tokenlink.models.compiled`.

    Parameters
    ----------
    root : Path or None   folder of the artifacts; None: those that ship
    table : ModeTable     whose codebook and grid they must have
    engine : str or None  see `tokenlink.models.compiled`; None: the fastest there is

    Raises
    ------
    ArtifactError    a file is missing or damaged, or the models do not fit the table or each other
    ModeTableError   the table is made for another codebook
    """
    root = root or artifact.DEFAULT_DIR
    models = {name: artifact.load(name, root, table.vocab_size) for name in artifact.present(root)}
    check_models({name: model.config for name, model in models.items()}, table)
    check_origin(root)
    table.check_codebook(artifact.read_description("tokenizer", root).get("codes_sha256"))
    return make_networks(**models, engine=engine)


def make_networks(tokenizer, completion, head, engine=None, predictor=None) -> Networks:
    """Networks of trained modules; the tokenizer's encoder is compiled in place."""
    head = InferenceHead(head, code_embeddings(tokenizer), engine)
    predictor = None if predictor is None else InferencePredictor(predictor, engine)
    return Networks(compile_tokenizer(tokenizer, engine), InferenceCompletion(completion, engine), head, predictor)


@torch.no_grad()
def code_embeddings(tokenizer) -> torch.Tensor:
    """Embedding of every code, float32 [vocab_size, dim_coarse]."""
    return tokenizer.embed(torch.arange(tokenizer.config.vocab_size)[None])[0]


def models_identity(root=None) -> dict:
    """What decides results: SHA-256 of each model's weights by name, as the manifest says it, and the engine.

    A predictor, and what sends scenes as analogue tokens, are named only where there is one.
    """
    root = root or artifact.DEFAULT_DIR
    manifest = artifact.read_manifest(root)
    names = *artifact.present(root), *({"adaptive_scenes"} & set(manifest))
    weights = {name: manifest.get(name, {}).get("weights.safetensors", {}).get("sha256") for name in names}
    return weights | {"engine": engine_version()}


def check_models(configs, table):
    """Refuse models that do not fit the mode table or each other.

    Parameters
    ----------
    configs : dict      configurations of tokenizer, completion, head and perhaps predictor, by name
    table : ModeTable

    Raises
    ------
    ModelMismatchError   names the model, what it is made for, and what is there
    """
    grid = tuple(table.grid)
    grids = {name: (configs[name].rows, configs[name].cols) for name in configs if name != "tokenizer"}
    for name, made_for in {"tokenizer": tuple(configs["tokenizer"].grid), **grids}.items():
        if made_for != grid:
            raise ModelMismatchError(f"{name} is made for a grid of {made_for}, the mode table has {grid}")
    width, expected = configs["tokenizer"].dim_coarse, configs["head"].dim_embedding
    if width != expected:
        reason = f"head is made for embeddings of {expected} numbers, those of the tokenizer have {width}"
        raise ModelMismatchError(reason)


def check_origin(root):
    """Refuse a model that names another tokenizer than the one beside; ModelMismatchError."""
    beside = artifact.read_description("tokenizer", root).get("codes_sha256")
    for name in artifact.present(root)[1:]:
        trained_on = artifact.read_description(name, root).get("tokenizer_sha256")
        if None not in (trained_on, beside) and trained_on != beside:
            reason = f"{name} was trained on the tokens of another tokenizer, {trained_on[:12]}: train it again"
            raise ModelMismatchError(reason)


def one_frame(networks, completion="model") -> TwinModels:
    """The models as the twin node runs them, one frame at a time.

    Parameters
    ----------
    networks : Networks
    completion : str   "model"; "copy": erased tokens are those of the previous state; "none": they stay empty,
                       NO_TOKEN, which the head sees as an embedding of zeros
    """
    if completion not in COMPLETIONS:
        raise ValueError(f"completion is {completion!r}, expected one of {', '.join(COMPLETIONS)}")

    def fill(token_ids, erased, confidence, previous):
        if not erased.any():
            return token_ids
        if completion != "model":
            return without_model(completion, token_ids, erased, previous)
        return fill_erased(networks.completion, *_tensors(token_ids, erased, confidence, previous))[0].numpy()

    def read(token_ids):
        state = read_state(networks.head, torch.from_numpy(np.array(token_ids))[None])
        return {"car": bool(state["car"]), "vru": bool(state["vru"]), "density": int(state["density"])}

    return TwinModels(fill, read, _foresight(networks))


def _foresight(networks):
    return None if networks.predictor is None else networks.predictor.probabilities


def without_model(completion, token_ids, erased, previous):
    """Erased tokens copied from the previous state ("copy"; 0 where there is none) or left empty ("none")."""
    if completion == "none":
        return np.where(erased, NO_TOKEN, token_ids)
    return np.where(erased, 0 if previous is None else previous, token_ids)


def _tensors(*values):
    return [None if value is None else torch.from_numpy(np.array(value))[None] for value in values]


class BatchModels:
    """The models on many frames at once, with the results of `one_frame` for each.

    Parameters
    ----------
    networks : Networks
    batch : int   frames of one pass, >= 1

    Attributes
    ----------
    n_completed, n_repeated : int   frames completed, and those of them decided again alone because of near ties
    """

    def __init__(self, networks, batch=BATCH):
        self._networks = networks
        self._batch = batch
        self._one = one_frame(networks)
        self.n_completed = self.n_repeated = 0

    def complete(self, token_ids, erased, confidence, previous):
        """Fill the erased tokens of frames.

        Parameters
        ----------
        token_ids : int32 [n, n_tokens]
        erased : bool [n, n_tokens]
        confidence : float32 [n, n_tokens]
        previous : int32 [n, n_tokens]   rows of -1: no previous state

        Returns
        -------
        int32 [n, n_tokens]
        """
        states = np.array(token_ids, np.int32)
        for first in range(0, len(states), self._batch):
            rows = slice(first, first + self._batch)
            self._complete(states[rows], *(np.ascontiguousarray(x[rows]) for x in (erased, confidence, previous)))
        return states

    @torch.no_grad()
    def _complete(self, states, erased, confidence, previous):
        inputs = [torch.from_numpy(values) for values in (states, erased, confidence, previous)]
        clear, filled = _decisive(self._networks.completion.erased_logits(*inputs))
        received = states.copy()
        states[erased] = filled
        doubtful = np.zeros(erased.shape, bool)
        doubtful[erased] = ~clear
        self.n_completed += len(states)
        for row in np.flatnonzero(doubtful.any(axis=1)):
            self.n_repeated += 1
            before = None if (previous[row] < 0).all() else previous[row]
            states[row] = self._one.complete(received[row], erased[row], confidence[row], before)

    def predict(self, beliefs):
        """Probabilities of next frames, to the bit those of `one_frame`: they are computed one by one.

        Parameters
        ----------
        beliefs : list of link.belief.Belief or None   None: nothing is known

        Returns
        -------
        list of float32 [n_tokens, vocab_size]   None where nothing is known

        Raises
        ------
        ModelMismatchError   the artifacts hold no predictor
        """
        if self._one.predict is None:
            raise ModelMismatchError("the artifacts hold no predictor: run `./twist train predictor`")
        return [None if belief is None else self._one.predict(belief) for belief in beliefs]

    @torch.no_grad()
    def read(self, token_ids):
        """Traffic states of frames: int32 [n, n_tokens] -> int64 [n, 3], car, VRU, density class."""
        parts = [self._read(np.asarray(token_ids[first : first + self._batch], np.int32))
                 for first in range(0, len(token_ids), self._batch)]
        return np.concatenate(parts) if parts else np.zeros((0, 3), np.int64)

    def _read(self, token_ids):
        logits = self._networks.head(torch.from_numpy(token_ids))
        clear, density = _decisive(logits.density)
        present = torch.stack([logits.car, logits.vru], dim=1)
        clear &= (present.abs() > TIE_MARGIN).all(1).numpy()
        states = np.column_stack([(present > 0).numpy(), density]).astype(np.int64)
        for row in np.flatnonzero(~clear):
            alone = self._one.read(token_ids[row])
            states[row] = alone["car"], alone["vru"], alone["density"]
        return states


def _decisive(logits):
    """Best entry of logits [n, n_entries], which it changes, and whether it leads by more than TIE_MARGIN.

    Returns
    -------
    (bool [n], int64 [n])
    """
    if not len(logits):
        return np.zeros(0, bool), np.zeros(0, np.int64)
    rows, values = np.arange(len(logits)), logits.numpy()
    best = values.argmax(-1)
    highest = values[rows, best]
    values[rows, best] = -np.inf
    return highest - logits.amax(-1).numpy() > TIE_MARGIN, best
