# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of the adaptive system as numpy sees them: a picture to symbols, received symbols to class logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tokenlink.data.imagenette import CLASSES
from tokenlink.link.token_ratios import (
    GRID,
    WIDTH,
    checked_alpha,
    checked_kept,
    checked_ratio,
    n_sent,
    symbols_per_token,
)
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, as_input
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, equalise
from tokenlink.models.adaptive.networks import artifact_of
from tokenlink.models.adaptive.vit_stages import device, server, stages_of
from tokenlink.models.compiled import TORCH


@dataclass(frozen=True)
class SentTokens:
    """A picture on its way to the radio.

    Attributes
    ----------
    symbols : complex64 [n_tokens, o]   of mean power 1 over all of them; the class token's come first
    kept : bool [64]                    positions whose tokens follow, in their order
    kept_by_block : bool [s, 64]        positions that were there at each of the device's blocks; all at the first
    """

    symbols: np.ndarray
    kept: np.ndarray
    kept_by_block: np.ndarray


class AdaptiveCodec:
    """Encoder and decoder of one set of weights.

    Parameters
    ----------
    model : AdaptiveDJSCC
    engine : str or None   that runs it, of `tokenlink.models.compiled`; None: the best there is

    Raises
    ------
    ValueError   sizes that are not those of the link
    """

    def __init__(self, model: AdaptiveDJSCC, engine: str | None = None):
        config = model.config
        if (config.grid, config.width, config.n_classes) != (GRID, WIDTH, len(CLASSES)):
            raise ValueError(
                f"weights are for a grid of {config.grid}, {config.width} features, {config.n_classes} classes; the "
                f"link has {GRID}, {WIDTH} and {len(CLASSES)}"
            )
        self.model, self.class_names = model.eval(), tuple(name for _, name in CLASSES)
        self.side = config.side
        self._stages = stages_of(model.vit, engine)

    @classmethod
    def untrained(cls, seed: int = 0, engine: str | None = TORCH) -> AdaptiveCodec:
        """A codec of the right shapes that knows nothing."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(AdaptiveDJSCC(AdaptiveConfig()), engine)

    @torch.inference_mode()
    def encode(self, picture: np.ndarray, alpha: float, ratio: float) -> SentTokens:
        """The device's side.

        Parameters
        ----------
        picture : uint8 [128, 128, 3]   RGB, see `tokenlink.data.imagenette.square`
        alpha : float   share of tokens to keep, above 0 and at most 1; how well it is met is in the metrics
        ratio : float   r, of `tokenlink.link.token_ratios.RATIOS`

        Raises
        ------
        ValueError   by name and value
        """
        side, ratio = self.side, checked_ratio(ratio)
        if getattr(picture, "shape", None) != (side, side, 3) or picture.dtype != np.uint8:
            found = f"{getattr(picture, 'dtype', type(picture).__name__)} of shape {getattr(picture, 'shape', ())}"
            raise ValueError(f"picture is {found}, expected uint8 of shape ({side}, {side}, 3)")
        given = as_input(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None])
        tokens, kept = device(self.model.vit, self._stages, given, checked_alpha(alpha))
        symbols = self.model.encode(tokens, ratio)
        return SentTokens(symbols.numpy(), kept[-1].numpy(), kept.numpy())

    @torch.inference_mode()
    def decode(self, symbols: np.ndarray, channel_gain, n0, kept: np.ndarray, ratio: float) -> np.ndarray:
        """The server's side.

        Parameters
        ----------
        symbols : complex64 [n_tokens, o] or [n_tokens * o]   y = h s + n, as received
        channel_gain : complex or complex64 [as symbols]      h; 0 for a symbol that was lost
        n0 : float or float32 [as symbols]                    total variance of the noise, linear, >= 0
        kept : bool [64]
        ratio : float   r

        Returns
        -------
        float32 [n_classes]   logits

        Raises
        ------
        ValueError   a header that does not fit the symbols, values that are not finite, negative noise
        """
        shape = n_sent(kept), symbols_per_token(ratio)
        symbols = np.asarray(symbols)
        if symbols.size != shape[0] * shape[1] or symbols.shape not in (shape, (symbols.size,)):
            raise ValueError(
                f"symbols have shape {symbols.shape}, the header says {shape[0]} tokens of {shape[1]}, "
                f"{shape[0] * shape[1]} in all"
            )
        received = _finite("symbols", symbols, np.complex64, symbols.shape).reshape(shape)
        gain = _finite("channel_gain", channel_gain, np.complex64, symbols.shape).reshape(shape)
        noise = _finite("n0", n0, np.float32, symbols.shape).reshape(shape)
        if (noise < 0).any():
            raise ValueError(f"n0 is {noise.min()}, expected a variance >= 0")
        estimate = equalise(*map(torch.from_numpy, (received, gain, noise)))
        tokens = self.model.arrived(estimate, torch.tensor(checked_kept(kept)), checked_ratio(ratio))
        return server(self.model.vit, self._stages, tokens).numpy()


def load_codec(root=None, training: str = "robust") -> AdaptiveCodec:
    """Codec of the shipped weights.

    Parameters
    ----------
    root : Path or None   folder of the artifacts; None: those that ship
    training : str        "robust": pairs that were trained with noise and fading; "noiseless"

    Raises
    ------
    ArtifactError   weights that are missing or damaged, or of other sizes than the link's
    ValueError      a training that there is none of
    """
    from tokenlink.models import artifact

    name = artifact_of("adaptive", training)
    try:
        return AdaptiveCodec(artifact.load(name, root or artifact.DEFAULT_DIR))
    except ValueError as error:
        raise artifact.ArtifactContentError(f"{name}: {error}") from None


def _finite(name, values, dtype, shape):
    """Values as an array of a shape; ValueError where they do not fit it, or are not finite."""
    values = np.asarray(values).astype(dtype)
    if values.shape not in ((), shape):
        raise ValueError(f"{name} has shape {values.shape}, expected one value, or {shape} as the symbols")
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise ValueError(f"{name}: {wrong} of {values.size} values are not finite")
    return np.broadcast_to(values, shape).copy()
