# SPDX-License-Identifier: GPL-3.0-or-later
"""VQ tokenizer: a camera frame to a grid of token ids and back.

    image [3,128,512] > encoder > nearest code > token_ids [8,32] > code embeddings > decoder > image

Nothing is computed at full resolution, see `tokenlink.models.twist.tokenizer_networks`, and kernels are small, so that
a token depends on little more than its own patch and keeps its value while the patch keeps its look. The quantizer is
the one of vector-quantize-pytorch: cosine similarity, running means, revival of dead codes.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from vector_quantize_pytorch import VectorQuantize

from tokenlink.models.twist.tokenizer_networks import DESIGNS, STRIDE, make_decoder, make_encoder


@dataclass(frozen=True)
class TokenizerConfig:
    """Sizes of the tokenizer.

    Parameters
    ----------
    vocab_size : int
        Codes in the codebook, K.
    height, width : int
        Frame size in pixels, multiples of 16.
    design : str
        "depthwise", "bottleneck" or "residual", see `tokenlink.models.twist.tokenizer_networks`.
    dim_stem, dim_fine, dim_coarse : int
        Channels at stride 4, 8 and 16.
    blocks_fine, blocks_coarse : int
        Blocks at stride 8 and 16, in the encoder and again in the decoder.
    more_blocks : int
        Further blocks of the decoder, at stride 8 and at stride 16 each.
    blocks_stem : int
        Blocks of the decoder at stride 4; with 0 it goes from stride 8 to pixels.
    codebook_dim : int
        Dimension in which codes are compared.
    dead_code_threshold : float
        Running count below which a code is replaced by a current vector.
    hold_margin : float
        Loss of cosine up to which a token keeps its value from the frame before.
    """

    vocab_size: int = 1024
    height: int = 128
    width: int = 512
    dim_fine: int = 96
    dim_coarse: int = 192
    blocks_fine: int = 2
    blocks_coarse: int = 3
    codebook_dim: int = 16
    dead_code_threshold: float = 0.1
    hold_margin: float = 0.05
    design: str = "depthwise"
    dim_stem: int = 32
    more_blocks: int = 0
    blocks_stem: int = 0

    def __post_init__(self):
        if self.design not in DESIGNS:
            raise ValueError(f"design is {self.design!r}, expected one of {', '.join(DESIGNS)}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the token grid."""
        return self.height // STRIDE, self.width // STRIDE

    @property
    def n_tokens(self) -> int:
        """Tokens per frame, L."""
        return self.grid[0] * self.grid[1]


# What `./twist train tokenizer` trains: as fast as the first design, with twice the layers.
DEEP = TokenizerConfig(
    design="residual", codebook_dim=24, hold_margin=0.001, dim_stem=48, blocks_coarse=4, more_blocks=1, blocks_stem=1
)


@dataclass
class TokenizerOutput:
    """What a training step needs.

    Attributes
    ----------
    image : float32 [batch, 3, height, width]
        Decoded picture, not clipped.
    vectors : float32 [batch, rows, cols, codebook_dim]
        What the encoder says, of length 1, before the nearest code replaces it.
    embeddings : float32 [batch, rows, cols, dim_coarse]
        Code embeddings; gradients pass straight through to the encoder.
    token_ids : int64 [batch, rows, cols]
        Nearest codes.
    commitment : float32 []
        Distance between vectors and codes.
    """

    image: torch.Tensor
    vectors: torch.Tensor
    embeddings: torch.Tensor
    token_ids: torch.Tensor
    commitment: torch.Tensor


class Tokenizer(nn.Module):
    """Encoder, codebook and decoder.

    Parameters
    ----------
    config : TokenizerConfig
        Sizes.
    """

    def __init__(self, config: TokenizerConfig = TokenizerConfig()):  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        self.encoder = make_encoder(config)
        self.quantizer = VectorQuantize(
            dim=config.dim_coarse,
            codebook_dim=config.codebook_dim,
            codebook_size=config.vocab_size,
            use_cosine_sim=True,
            decay=0.98,
            threshold_ema_dead_code=config.dead_code_threshold,
            commitment_weight=0.25,
        )
        self.decoder = make_decoder(config)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """Image float32 [batch, 3, height, width] in [0, 1] to vectors float32 [batch, rows, cols, dim_coarse]."""
        return self.encoder(image * 2 - 1).permute(0, 2, 3, 1)

    def forward(self, image: torch.Tensor, quantize: bool = True, n_decoded: int | None = None) -> TokenizerOutput:
        """Encode, quantize with straight-through gradient, decode.

        Parameters
        ----------
        image : float32 [batch, 3, height, width]
            Pictures in [0, 1].
        quantize : bool
            False lets the vectors through as they are, for the start of a training.
        n_decoded : int, optional
            Decode only so many pictures of the batch.
        """
        features = self.features(image)
        batch, rows, cols, dim = features.shape
        flat = features.reshape(batch, rows * cols, dim).float()
        with torch.autocast("cpu", enabled=False):
            vectors = F.normalize(self.quantizer.project_in(flat), dim=-1)
            if quantize:
                embeddings, token_ids, commitment = self.quantizer(flat)
            else:
                embeddings, commitment = self.quantizer.project_out(vectors), torch.zeros(())
                token_ids = torch.zeros(batch, rows * cols, dtype=torch.int64)
        embeddings = embeddings.view(batch, rows, cols, dim)
        return TokenizerOutput(
            self.decoder(embeddings[:n_decoded].permute(0, 3, 1, 2)).float() * 0.5 + 0.5,
            vectors.view(batch, rows, cols, -1),
            embeddings,
            token_ids.view(batch, rows, cols),
            commitment.sum(),
        )

    @torch.no_grad()
    def set_codebook(self, vectors: torch.Tensor, n_iterations: int = 8) -> None:
        """Start the codebook with the k-means centres of encoder vectors float32 [n_vectors, codebook_dim]."""
        n_codes = self.config.vocab_size
        if len(vectors) < n_codes:
            raise ValueError(f"{len(vectors)} vectors are too few for {n_codes} codes")
        codes = vectors[torch.randperm(len(vectors))[:n_codes]].clone()
        for _ in range(n_iterations):
            nearest = (vectors @ codes.T).argmax(-1)
            counts = torch.bincount(nearest, minlength=n_codes)
            sums = torch.zeros_like(codes).index_add_(0, nearest, vectors)
            spare = vectors[torch.randint(len(vectors), (n_codes,))]
            codes = F.normalize(torch.where(counts[:, None] > 0, sums, spare), dim=-1)
        codebook = self.quantizer._codebook
        codebook.embed.copy_(codes[None])
        codebook.embed_avg.copy_(codes[None])
        codebook.cluster_size.fill_(1.0)

    @torch.no_grad()
    def similarities(self, image: torch.Tensor) -> torch.Tensor:
        """Cosine between what the encoder says and every code, float32 [batch, rows, cols, vocab_size]."""
        vectors = F.normalize(self.quantizer.project_in(self.features(image)), dim=-1)
        return vectors @ self.quantizer._codebook.embed[0].T

    @torch.no_grad()
    def encode(self, image: torch.Tensor, previous_ids: torch.Tensor | None = None) -> torch.Tensor:
        """Token ids of pictures.

        Parameters
        ----------
        image : float32 [batch, 3, height, width]
            Pictures in [0, 1].
        previous_ids : integer [batch, rows, cols], optional
            Tokens of the frame before each picture. A token that is still nearly the best one stays, see `hold`.

        Returns
        -------
        int32 [batch, rows, cols]
            Token ids.
        """
        similarities = self.similarities(image)
        if previous_ids is None:
            return similarities.argmax(-1).to(torch.int32)
        return hold(similarities, previous_ids, self.config.hold_margin)

    def embed(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Token ids integer [batch, ...] to embeddings e_i float32 [batch, ..., dim_coarse]."""
        flat = self.quantizer.get_output_from_indices(token_ids.reshape(token_ids.shape[0], -1).long())
        return flat.view(*token_ids.shape, self.config.dim_coarse)

    def decode(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Token ids integer [batch, rows, cols] to an image float32 [batch, 3, height, width] in [0, 1]."""
        maps = self.embed(token_ids).permute(0, 3, 1, 2)
        return (self.decoder(maps) * 0.5 + 0.5).clamp(0, 1)

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return asdict(self.config)


def hold(similarities: torch.Tensor, previous_ids: torch.Tensor, margin: float) -> torch.Tensor:
    """Nearest codes, but the previous ones where they are nearly as near: no flicker between equal looks.

    Parameters
    ----------
    similarities : float32 [..., vocab_size]
        Cosine to every code.
    previous_ids : integer [...]
        Tokens of the frame before.
    margin : float
        Loss of cosine that is put up with.

    Returns
    -------
    int32 [...]
        Token ids.
    """
    best, nearest = similarities.max(-1)
    kept = similarities.gather(-1, previous_ids.long()[..., None])[..., 0] >= best - margin
    return torch.where(kept, previous_ids.long(), nearest).to(torch.int32)


def encode_image(model: Tokenizer, image: np.ndarray, previous_ids: np.ndarray | None = None) -> np.ndarray:
    """Tokens of one frame.

    Parameters
    ----------
    model : Tokenizer
        The tokenizer.
    image : ndarray of uint8 [height, width, 3]
        RGB frame.
    previous_ids : ndarray of int32 [n_tokens], optional
        Tokens of the frame before, so that tokens of still parts stay what they are.

    Returns
    -------
    ndarray of int32 [n_tokens]
        Token ids, row by row.
    """
    config = model.config
    if image.shape != (config.height, config.width, 3) or image.dtype != np.uint8:
        raise ValueError(f"expected uint8 [{config.height}, {config.width}, 3], got {image.dtype} {list(image.shape)}")
    tensor = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 255
    if previous_ids is not None:
        previous_ids = torch.from_numpy(np.asarray(previous_ids, dtype=np.int64)).view(1, *config.grid)
    return model.encode(tensor, previous_ids)[0].reshape(-1).numpy().astype(np.int32)


@torch.no_grad()
def decode_tokens(model: Tokenizer, token_ids: np.ndarray) -> np.ndarray:
    """Picture of one token grid: int32 [n_tokens] to uint8 [height, width, 3]."""
    grid = torch.from_numpy(np.asarray(token_ids, dtype=np.int64)).view(1, *model.config.grid)
    image = model.decode(grid)[0].permute(1, 2, 0)
    return (image * 255).round().to(torch.uint8).numpy()


def codebook_usage(token_ids: np.ndarray, vocab_size: int) -> dict:
    """Share of codes in use, dead codes and perplexity over token ids of any shape."""
    counts = np.bincount(np.asarray(token_ids).reshape(-1), minlength=vocab_size)
    share = counts[counts > 0] / max(counts.sum(), 1)
    return {
        "codebook_use": float((counts > 0).mean()),
        "dead_codes": int((counts == 0).sum()),
        "perplexity": float(np.exp(-(share * np.log(share)).sum())),
    }
