# SPDX-License-Identifier: GPL-3.0-or-later
"""Algorithm 1 of the TokCode paper: its equations by hand, and that nothing but the adapters learns."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenlink.link.packets import compacted  # noqa: E402
from tokenlink.models.tokcode.adapters import adapt, adapted, merged  # noqa: E402
from tokenlink.models.tokcode.encoding import likeliest  # noqa: E402
from tokenlink.models.tokcode.sentence_encoder import SentenceConfig, SentenceEncoder, vectors  # noqa: E402
from tokenlink.models.tokcode.t5 import TextT5, TextT5Config, padded  # noqa: E402
from tokenlink.models.tokcode.vocabulary import END_ID, FIRST_TEXT_ID  # noqa: E402
from tokenlink.train.tokcode import sfma  # noqa: E402
from tokenlink.train.tokcode.damage import losses, received  # noqa: E402

V = FIRST_TEXT_ID + 20
SIZES = {"width": 16, "inner_width": 16, "n_heads": 2, "n_layers": 2}


@pytest.fixture
def models():
    torch.manual_seed(1)
    sentences = SentenceEncoder(SentenceConfig(V, **SIZES)).eval()
    return adapted(TextT5(TextT5Config(V, **SIZES)), rank=2).eval(), sentences.requires_grad_(False)


@pytest.fixture
def batch():
    rng = np.random.default_rng(2)
    return [rng.integers(FIRST_TEXT_ID, V, n).astype(np.int32) for n in (7, 12, 5)]


def test_embeddings_are_those_of_the_chosen_tokens_and_gradients_those_of_the_soft_ones():
    codebook = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
    logits = torch.tensor([[0.3, 1.2, -0.5]], requires_grad=True)
    found = sfma.straight_through(logits, torch.tensor([1]), codebook)
    assert torch.equal(found.detach(), codebook[1:2])
    outward = np.array([0.7, -0.4])
    found.backward(torch.tensor(outward[None], dtype=torch.float32))
    weight = np.exp([0.3, 1.2, -0.5]) / np.exp([0.3, 1.2, -0.5]).sum()  # (11)
    along = codebook.numpy() @ outward  # of d softmax / d l = diag(w) - w w^T with (12)
    assert logits.grad[0].numpy() == pytest.approx(weight * (along - weight @ along), abs=1e-6)


def test_what_came_is_compacted_as_the_link_does():
    codebook = torch.arange(40.0).reshape(20, 2)
    tokens = np.array([[3, 4, 5, 6, 7], [8, 9, 10, 11, 12]])
    lost = np.array([[0, 1, 0, 0, 1], [1, 1, 1, 0, 1]], bool)
    found, there = sfma.compacted_embeddings(codebook[tokens], torch.from_numpy(~lost), codebook[END_ID])
    for row, mask, ids, gone in zip(found, there, tokens, lost, strict=True):
        assert torch.equal(row[mask], codebook[compacted(ids, gone, END_ID)])
    assert there.sum(1).tolist() == [4, 2]


def test_losses_are_those_of_what_is_really_sent(models, batch):
    encoder, sentences = models
    found = sfma.step_losses(encoder, sentences, batch, sfma.SfmaSettings(lost=2, norm_weight=0.5), seed=3)
    came = received(likeliest(encoder, batch), losses(batch, 2, 3))
    ref, rx = (vectors(sentences, each).numpy().astype(float) for each in (batch, came))
    norms = np.linalg.norm(ref, axis=1), np.linalg.norm(rx, axis=1)
    assert found["sent"].item() == pytest.approx(1 - ((ref * rx).sum(1) / norms[0] / norms[1]).mean(), abs=1e-5)  # (7)
    assert found["norm"].item() == pytest.approx(0.5 * ((norms[0] - norms[1]) ** 2).mean(), abs=1e-5)  # (8)


def test_only_adapters_learn_and_they_are_where_the_paper_has_them(models, batch):
    encoder, sentences = models
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    heard = {name: value.clone() for name, value in sentences.state_dict().items()}
    trained = [p for p in encoder.parameters() if p.requires_grad]
    # q and v of both attentions of both blocks, each r (D_in + D_out)
    assert sum(p.numel() for p in trained) == 2 * 2 * 2 * 2 * (16 + 16)
    optimizer = torch.optim.SGD(trained, lr=1.0)
    for seed in range(2):  # A has a gradient only after B has moved from 0
        optimizer.zero_grad()
        sum(sfma.step_losses(encoder, sentences, batch, sfma.SfmaSettings(), seed).values()).backward()
        optimizer.step()
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "lora_" in name}
    assert all("t5.decoder" in name and name.split(".")[-4] in ("q", "v") for name in changed)
    assert all(torch.equal(value, heard[name]) for name, value in sentences.state_dict().items())


def test_adapters_begin_at_the_foundation_and_merge_into_it(batch):
    foundation = TextT5(TextT5Config(V, **SIZES)).eval()
    encoder, x = adapted(foundation, rank=3).eval(), padded(batch)
    with torch.no_grad():
        assert torch.allclose(encoder.logits(x), foundation.logits(x), atol=1e-6)
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(len(name)))
        plain = merged(encoder)
        assert not torch.allclose(encoder.logits(x), foundation.logits(x), atol=1e-2)
        assert torch.allclose(encoder.logits(x), plain.logits(x), atol=1e-4)
    assert set(plain.state_dict()) == set(foundation.state_dict())


def test_tokens_that_may_not_be_sent_are_not(models, batch):
    x = padded(batch)
    scores = torch.zeros(*x.shape, V)
    of_source, of_any = (sfma.allowed(scores, x, choice)[1] for choice in sfma.CHOICES)
    assert set(torch.isfinite(of_source).all(0).nonzero().flatten().tolist()) == set(batch[1].tolist())
    assert torch.isfinite(of_any).all(0).nonzero().flatten().tolist() == list(range(FIRST_TEXT_ID, V))


@pytest.mark.parametrize(
    ("given", "said"), [({"choice": "all"}, "choice is 'all'"), ({"temperature": 0}, "temperature is 0")]
)
def test_settings_that_mean_nothing_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        sfma.SfmaSettings(**given)
    with pytest.raises(ValueError, match="rank is 0"):
        adapt(TextT5(TextT5Config(V, **SIZES)).t5, rank=0)
