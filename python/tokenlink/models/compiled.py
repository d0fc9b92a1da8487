# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks compiled for inference: written as ONNX once, run by ONNX Runtime in one thread.

The weights on disk stay those of torch; an ONNX file is only a cache of them, in the folder onnx of the user's cache,
named after everything it is made of. Without the packages onnx and onnxruntime (they need a newer numpy than Ubuntu
22.04 has) the networks run in torch, with results equal but for the last bits of their logits.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tokenlink.files.places import cache_folder
from tokenlink.link.belief import BeliefError
from tokenlink.models.artifact_files import ArtifactContentError
from tokenlink.models.twist.completion import AROUND
from tokenlink.models.twist.folded import FoldedFeatures, FoldedForesight, FoldedHead
from tokenlink.models.twist.head import TrafficLogits
from tokenlink.models.twist.predictor import OLDEST, echoing, mixed, sureness_features

OPSET = 17
TORCH, ONNX_RUNTIME = "torch", "onnxruntime"
_SOURCES = (
    "compiled", "twist/blocks", "twist/completion", "twist/folded", "twist/head", "twist/predictor",
    "twist/tokenizer", "twist/tokenizer_networks", "adaptive/adaptive_vit", "adaptive/vit_stages",
)  # fmt: skip


def best_engine() -> str:
    """What runs the networks here: "onnxruntime", or "torch" where that is not installed."""
    return ONNX_RUNTIME if all(map(find_spec, ("onnx", "onnxruntime"))) else TORCH


def engine_version() -> str:
    """Name and version of `best_engine`, such as "onnxruntime 1.22.1"."""
    return f"{best_engine()} {version(best_engine())}"


class CompiledModule(nn.Module):
    """A module without its weights: tensors in, tensors out, computed by ONNX Runtime.

    Parameters
    ----------
    module : nn.Module
        What is compiled, in evaluation mode. Its results are one tensor or a tuple of them.
    *example : tensors
        Arguments of `module`, whose first axis is the batch; the batch may have another length later.
    """

    def __init__(self, module: nn.Module, *example: torch.Tensor):
        super().__init__()
        self._inputs = [f"input_{i}" for i in range(len(example))]
        self._session = _session(_onnx_bytes(module, example, self._inputs))
        self._single = len(self._session.get_outputs()) == 1

    def forward(self, *inputs: torch.Tensor):
        """Tensors with the dtypes and shapes of the example to those of the module's results."""
        feed = {name: value.contiguous().numpy() for name, value in zip(self._inputs, inputs, strict=True)}
        results = [torch.from_numpy(value) for value in self._session.run(None, feed)]
        return results[0] if self._single else tuple(results)


class InferenceCompletion:
    """`Completion` for inference: the logits of erased positions, by `tokenlink.models.twist.folded`.

    Parameters
    ----------
    model : Completion
    engine : str or None   ONNX_RUNTIME or TORCH; None: `best_engine`
    """

    @torch.no_grad()
    def __init__(self, model, engine=None):
        config = self.config = model.config
        ids = torch.zeros(2, config.n_tokens, dtype=torch.int32)
        self._features = compiled(FoldedFeatures(model), ids, ids > 0, ids.float(), ids, engine=engine)
        codes = model.token.weight
        self._codes = codes @ model.to_code.weight, codes @ model.to_code.bias + model.bias
        self._copying, self._evidence_gain = model.copy_gain, model.evidence_gain
        self._around = _places_around(config.rows, config.cols)

    @torch.no_grad()
    def erased_logits(self, token_ids, erased, confidence, previous_ids=None) -> torch.Tensor:
        """As `Completion.erased_logits`."""
        ids = token_ids.int()
        previous_ids = torch.full_like(ids, -1) if previous_ids is None else previous_ids.int()
        features, evidence = self._features(ids, erased, confidence.float(), previous_ids)
        features, evidence = features[erased], evidence[erased]
        logits = F.linear(features, *self._codes)
        gain = torch.cat([self._copying(features), (self._evidence_gain * evidence)[:, None]], dim=-1)
        found = self._candidates(ids.numpy(), erased.numpy(), evidence.numpy(), previous_ids.numpy())
        candidates = torch.from_numpy(found)
        return logits.scatter_add_(-1, candidates.clamp(min=0), gain * (candidates >= 0))

    def _candidates(self, ids, erased, evidence, previous_ids):
        """Tokens that may be copied to each erased position, as in `Completion.hidden`, int64 [n_erased, 18]."""
        rows, places = np.nonzero(erased)
        around = self._around[places] + rows[:, None] * (ids.shape[1] + 1)
        pad = ((0, 0), (0, 1))
        before = np.pad(previous_ids, pad, constant_values=-1).ravel()[around]
        received = np.pad(np.where(erased, -1, ids), pad, constant_values=-1).ravel()[around[:, 1:]]
        doubted = np.where(evidence > 0, ids[erased], -1)
        return np.concatenate([before, received, doubted[:, None]], axis=1).astype(np.int64)


class InferencePredictor:
    """`Predictor` for inference: calibrated probabilities of one frame, by `tokenlink.models.twist.folded`.

    Parameters
    ----------
    model : Predictor
    engine : str or None   ONNX_RUNTIME or TORCH; None: `best_engine`

    Raises
    ------
    ArtifactContentError   a temperature or the floor is out of range
    """

    @torch.no_grad()
    def __init__(self, model, engine=None):
        self._temperature, self._floor = model.temperature.tolist(), float(model.floor)
        self._echo = float(model.echo)
        if min(self._temperature) < 0.01 or not 0 <= self._floor <= 1 or not 0 <= self._echo <= 10:
            raise ArtifactContentError(
                f"predictor has temperatures from {min(self._temperature):g}, a floor of {self._floor:g} and echo "
                f"{self._echo:g}, expected >= 0.01, 0..1 and 0..10")  # fmt: skip
        config = self.config = model.config
        ids, codes = torch.zeros(2, config.n_tokens, dtype=torch.int32), model.token.weight
        told = torch.zeros(2, config.n_tokens, model.told.in_features)
        self._features = compiled(FoldedForesight(model), ids, told, ids, ids[:, 0].clone(), engine=engine)
        self._codes = codes @ model.to_code.weight, codes @ model.to_code.bias + model.bias
        self._copying = model.copy_gain
        self._around = _places_around(config.rows, config.cols)

    @torch.no_grad()
    def probabilities(self, belief) -> np.ndarray:
        """Probability of every code at every position of the next frame.

        Parameters
        ----------
        belief : tokenlink.link.belief.Belief

        Returns
        -------
        float32 [n_tokens, vocab_size]   each row adds up to 1

        Raises
        ------
        BeliefError   a frame of another length, or a token beyond the codebook
        """
        state = belief.state
        self._check(belief)
        before = np.full_like(state, -1) if belief.before is None else belief.before
        around = [np.append(ids, np.int32(-1))[self._around] for ids in (state, before)]
        moved = torch.from_numpy(around[1] == state[:, None]).float()
        sureness = torch.tensor(belief.sureness)
        told = torch.cat([sureness_features(sureness), moved], dim=-1)
        age = min(belief.age, OLDEST) - 1
        inputs = torch.tensor(state), told, torch.tensor(before), torch.tensor(age, dtype=torch.int32)
        features = self._features(*(each[None] for each in inputs))[0]
        candidates = torch.from_numpy(np.concatenate(around, axis=1).astype(np.int64))
        gain = self._copying(features) * (candidates >= 0)
        logits = F.linear(features, *self._codes).scatter_add_(-1, candidates.clamp_(min=0), gain)
        scale = self._temperature[age] * echoing(torch.tensor(belief.doubted), torch.tensor(belief.age), self._echo)
        return mixed(logits.div_(scale[:, None]).softmax(-1), self._floor).numpy()

    def _check(self, belief):
        n_tokens, vocab_size = self.config.n_tokens, self.config.vocab_size
        if len(belief.state) != n_tokens:
            raise BeliefError(f"state has {len(belief.state)} tokens, the predictor is made for {n_tokens}")
        for name, ids in (("state", belief.state), ("before", belief.before)):
            if ids is not None and ids.max() >= vocab_size:
                raise BeliefError(f"{name} is {ids.max()} somewhere, must be in 0..{vocab_size - 1}")


def _places_around(rows, cols):
    """Flat place of every position's neighbours in the order of AROUND, int [n_tokens, 9]; n_tokens off the grid."""
    places = np.pad(np.arange(rows * cols).reshape(rows, cols), 1, constant_values=rows * cols)
    around = [places[1 + y : 1 + y + rows, 1 + x : 1 + x + cols] for y, x in AROUND]
    return np.stack(around, axis=-1).reshape(rows * cols, len(AROUND))


class InferenceHead:
    """A traffic head that reads tokens: what it makes of each code's embedding is computed once.

    Parameters
    ----------
    head : TrafficHead
    embeddings : float32 [vocab_size, dim_embedding]   of all codes
    engine : str or None
    """

    @torch.no_grad()
    def __init__(self, head, embeddings: torch.Tensor, engine=None):
        config = self.config = head.config
        no_token = torch.zeros_like(embeddings[:1])
        self._embedded = head.embed(torch.cat([embeddings, no_token]))
        example = torch.zeros(2, config.rows * config.cols, config.dim)
        self._logits = compiled(FoldedHead(head), example, engine=engine)

    def __call__(self, token_ids: torch.Tensor) -> TrafficLogits:
        """Token ids integer [batch, n_tokens], -1 for an empty position, to logits; no maps of cells and counts."""
        return TrafficLogits(*self._logits(self._embedded[token_ids.long()]), None, None)


def compiled(module: nn.Module, *example: torch.Tensor, engine=None) -> nn.Module:
    """A module for inputs like the example: compiled, see `CompiledModule`, or itself if the engine is torch."""
    return module.eval() if (engine or best_engine()) == TORCH else CompiledModule(module, *example)


def compile_tokenizer(model, engine=None):
    """Have the encoder of a tokenizer compiled, in place; returns the tokenizer."""
    config = model.config
    model.encoder = compiled(model.encoder, torch.zeros(2, 3, config.height, config.width), engine=engine)
    return model


def _onnx_bytes(module, example, names):
    """The module as ONNX, from the cache where it is whole and made of the same things."""
    path = cache_folder() / "onnx" / f"{_key(module, example)}.onnx"
    try:
        stored = path.read_bytes()
        checksum, content = stored[:32], stored[32:]
        if hashlib.sha256(content).digest() == checksum:
            return content
    except OSError:
        pass
    content = _export(module, example, names)
    _keep(path, hashlib.sha256(content).digest() + content)
    return content


@torch.no_grad()
def _export(module, example, names):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter: that sizes of the grid become constants, as they should
        torch.onnx.export(
            module.eval(), example, stream, input_names=names, opset_version=OPSET, dynamo=False,
            dynamic_axes={name: {0: "batch"} for name in names},
        )  # fmt: skip
    return stream.getvalue()


def _key(module, example):
    made_by = f"{OPSET} {torch.__version__} {version('onnx')} {type(module).__name__}"
    digest = hashlib.sha256(made_by.encode())
    for name in _SOURCES:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    for value in example:
        digest.update(f"{value.dtype} {tuple(value.shape[1:])}".encode())
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _keep(path, data):
    """Write a file so that a reader sees all of it or nothing; a folder that cannot be written costs only time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError:
        pass


def _session(content):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # nodes and workers have a core each
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
