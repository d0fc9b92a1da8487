# SPDX-License-Identifier: GPL-3.0-or-later
"""Small models without training, pictures, and a run over them, for all tests of the loop."""

import os
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from tokenlink.channel import ChannelConfig, SnrTrajectory
from tokenlink.link.modes import load_mode_table
from tokenlink.loop import runner
from tokenlink.loop.run_config import RunConfig

sys.path.append(str(Path(__file__).parent))
from picture_weights import save_imagenette, save_picture_weights  # noqa: E402

N_PICTURES = 6


def save_models(root, vocab_size=1024, predictor=True):
    """Small seeded models without training, as artifacts in ``root``, marked as those of the shipped mode table."""
    torch = pytest.importorskip("torch")
    from tokenlink.models import artifact
    from tokenlink.models.twist.completion import Completion, CompletionConfig
    from tokenlink.models.twist.head import HeadConfig, TrafficHead
    from tokenlink.models.twist.predictor import Predictor, PredictorConfig
    from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig

    torch.manual_seed(1)
    sizes = {"dim_fine": 8, "dim_coarse": 16, "blocks_fine": 0, "blocks_coarse": 1, "codebook_dim": 8}
    tokenizer = Tokenizer(TokenizerConfig(vocab_size=vocab_size, **sizes))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    tokenizer.quantizer._codebook.initted.fill_(True)
    with patch.object(artifact, "codes_sha256", return_value=load_mode_table().codes_sha256):
        artifact.save_artifact("tokenizer", tokenizer, {}, {}, root)
    config = CompletionConfig(vocab_size=vocab_size, dim=16, layers=1, heads=2)
    artifact.save_artifact("completion", Completion(config), {}, {}, root)
    head = TrafficHead(HeadConfig(vocab_size=vocab_size, dim_embedding=16, dim=8, blocks=1))
    artifact.save_artifact("head", head, {}, {}, root)
    if predictor:
        config = PredictorConfig(vocab_size, dim=16, layers=1, heads=2)
        artifact.save_artifact("predictor", Predictor(config), {}, {}, root)
    return root


@pytest.fixture(scope="session")
def make_artifacts():
    return save_models


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory):
    return save_models(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def picture_weights(tmp_path_factory):
    return save_picture_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def imagenette(tmp_path_factory):
    return save_imagenette(tmp_path_factory.mktemp("imagenette"))


@pytest.fixture
def faulty_nodes(monkeypatch):
    """Function that lets runs start modules of this folder as their nodes, such as camera="faulty_camera"."""
    search = [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, search)))

    def use(**modules):
        for node, module in modules.items():
            monkeypatch.setitem(runner.NODES, node, module)

    return use


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in range(N_PICTURES):
        image = rng.integers(0, 256, (8, 32, 3), dtype=np.uint8)
        Image.fromarray(image).resize((512, 128), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def config(pictures, artifacts):
    channel = ChannelConfig("rayleigh", 12.0, trajectory=SnrTrajectory("blockwise", block_slots=2))
    return RunConfig(str(pictures), 20, 3, channel, artifacts=str(artifacts), radio="simulator")


@pytest.fixture(scope="session")
def module():
    """Path of the compiled module that UHD loads, the virtual USRP."""
    from tokenlink.process.node import NodeError
    from tokenlink.radio.virtual_usrp import build_module

    try:
        return build_module()
    except NodeError as error:
        pytest.skip(str(error))
