# SPDX-License-Identifier: GPL-3.0-or-later
"""A tokenizer of the residual design computed from pictures, without a training: linear maps and k-means.

Patches go to their principal components, these to the nearest of k-means' centres, and each pixel is the best linear
function of the codes of its token and the eight around it. The codebook compares by cosine; components are therefore
made small beside a constant, so that angles between vectors are nearly distances between components.
"""

import torch
import torch.nn.functional as F

from tokenlink.models.twist.tokenizer import Tokenizer
from tokenlink.models.twist.tokenizer_networks import STRIDE

_ANGLE = 0.25  # root mean square of the components beside a constant of 1
_RIDGE = 1e-5


@torch.no_grad()
def start_linear(model: Tokenizer, images: list[torch.Tensor], n_iterations: int = 15) -> None:
    """Set the linear maps and the codebook of a new tokenizer.

    Parameters
    ----------
    model : Tokenizer
        Of the residual design, whose networks still give zero.
    images : list of float32 [batch, 3, height, width]
        Pictures in [0, 1], of more patches than there are codes.
    n_iterations : int
        Of k-means.
    """
    if model.config.design != "residual":
        raise ValueError(f"design is {model.config.design!r}, a linear start needs 'residual'")
    model.eval()
    _set_components(model, torch.cat([_patches(image) for image in images]))
    vectors = [F.normalize(model.quantizer.project_in(model.features(image)), dim=-1) for image in images]
    model.set_codebook(torch.cat([v.flatten(0, 2) for v in vectors]), n_iterations)
    _set_decoder(model, images)


def _patches(image):
    """float32 [n_patches, 768], in the order of a convolution's weights."""
    return F.pixel_unshuffle(image, STRIDE).permute(0, 2, 3, 1).flatten(0, 2)


def _set_components(model, patches):
    code = model.config.codebook_dim
    mean = patches.mean(0)
    covariance = (patches - mean).T @ (patches - mean) / len(patches)
    variances, axes = torch.linalg.eigh(covariance.double())
    axes, variances = axes.flip(1)[:, : code - 1].float().T, variances.flip(0)[: code - 1].float()
    axes *= _ANGLE / variances.sum().sqrt()
    to_patch, spread = model.encoder.linear
    to_patch.weight.zero_()
    to_patch.bias.zero_()
    to_patch.weight[:-1] = 0.5 * axes.view(code - 1, 3, STRIDE, STRIDE)  # of pixels in [-1, 1]
    to_patch.bias[:-1] = axes @ (0.5 - mean)
    to_patch.bias[-1] = 1.0
    into, out = model.quantizer.project_in, model.quantizer.project_out
    for layer, gain in ((spread, 1.0), (into, 1.0), (out, 1 / _ANGLE), (model.decoder.linear[0], _ANGLE)):
        layer.bias.zero_()
        layer.weight.copy_(gain * torch.eye(*layer.weight.shape[:2]).view_as(layer.weight))


def _set_decoder(model, images):
    """Least squares of pixels on the codes of 3 x 3 tokens."""
    n_inputs = 9 * model.config.codebook_dim + 1
    square, product = torch.zeros(n_inputs, n_inputs, dtype=torch.float64), 0.0
    for image in images:
        codes = model.decoder.linear[0](model.embed(model.encode(image)).permute(0, 3, 1, 2))
        around = F.unfold(codes, 3, padding=1).transpose(1, 2).flatten(0, 1)
        around = torch.cat([around, torch.ones(len(around), 1)], dim=1).double()
        square += around.T @ around
        product = product + around.T @ (2 * _patches(image).double() - 1)
    square += _RIDGE * square.diagonal().mean() * torch.eye(n_inputs)
    weights = torch.linalg.solve(square, product).T.float()
    layer = model.decoder.linear[1]
    layer.weight.copy_(weights[:, :-1].view_as(layer.weight))
    layer.bias.copy_(weights[:, -1])
