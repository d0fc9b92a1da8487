# SPDX-License-Identifier: GPL-3.0-or-later
"""Published T5 and Sentence-T5: small ones written here by transformers in their own layout, and folders without."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import save_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from tokenizers.pre_tokenizers import Whitespace  # noqa: E402

from tokenlink.models.tokcode.adapters import adapt  # noqa: E402
from tokenlink.models.tokcode.checkpoints import (  # noqa: E402
    CheckpointFolderError,
    load_language_model,
    load_sentence_t5,
    load_t5,
    load_vocabulary,
)
from tokenlink.models.tokcode.recovery import REQUEST, predicted  # noqa: E402
from tokenlink.models.tokcode.sentence_encoder import vectors  # noqa: E402
from tokenlink.models.tokcode.t5 import (  # noqa: E402
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    transformers,
    with_end,
)
from tokenlink.models.tokcode.vocabulary import FIRST_TEXT_ID, train_vocabulary  # noqa: E402
from tokenlink.train.tokcode import sfma  # noqa: E402

LINES = [f"a {colour} robot number {n} rides on the grass" for n in range(40) for colour in ("red", "green", "blue")]
V = FIRST_TEXT_ID + 30


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A T5 with more rows than tokens, as published ones have, and a Sentence-T5 of the layout of its authors."""
    root = tmp_path_factory.mktemp("published")
    torch.manual_seed(1)
    config = T5Config(vocab_size=V + 5, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(root / "t5")
    T5EncoderModel(config).save_pretrained(root / "sentences")
    dense = {"in_features": 16, "out_features": 12, "bias": False, "activation_function": "torch.nn.Identity"}
    (root / "sentences" / "2_Dense").mkdir()
    (root / "sentences" / "2_Dense" / "config.json").write_text(json.dumps(dense))
    save_file({"linear.weight": torch.randn(12, 16)}, root / "sentences" / "2_Dense" / "model.safetensors")
    content = train_vocabulary(LINES, V).file_bytes
    for name in ("t5", "sentences"):
        (root / name / "spiece.model").write_bytes(content)
    return root


def sequences(folders):
    vocabulary = load_vocabulary(folders / "t5")
    return [vocabulary.ids_of(line) for line in LINES[:4]]


def test_a_t5_says_what_transformers_says(folders):
    x = torch.from_numpy(sequences(folders)[0].astype(np.int64))[None]
    published = T5ForConditionalGeneration.from_pretrained(folders / "t5")
    with torch.no_grad():
        assert torch.equal(load_t5(folders / "t5").logits(x), published(input_ids=x, decoder_input_ids=x).logits)


def test_a_sentence_is_the_mean_of_its_tokens_through_the_dense_map(folders):
    texts = sequences(folders)
    found = vectors(load_sentence_t5(folders / "sentences"), texts)
    t5 = T5EncoderModel.from_pretrained(folders / "sentences").eval()
    state = load_sentence_t5(folders / "sentences").out.weight.detach()
    with torch.no_grad():
        alone = torch.stack([t5(input_ids=with_end([each])).last_hidden_state[0].mean(0) @ state.T for each in texts])
    assert found.shape == (4, 12) and torch.allclose(found, alone, atol=1e-5)


def test_algorithm_1_takes_a_step_on_them(folders):
    model, sentences = load_t5(folders / "t5"), load_sentence_t5(folders / "sentences").requires_grad_(False)
    adapt(model.t5, rank=2)
    for choice in sfma.CHOICES:
        losses = sfma.step_losses(model, sentences, sequences(folders), sfma.SfmaSettings(choice=choice), seed=1)
        sum(losses.values()).backward()
    moved = {name for name, p in model.named_parameters() if p.grad is not None}
    assert moved and all("lora_" in name for name in moved)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    """A language model as it is published: weights and a fast tokenizer of words with a chat template."""
    folder = tmp_path_factory.mktemp("llama")
    words = ["<s>", "</s>", "<unk>", "user", ":", *dict.fromkeys(" ".join(LINES).split())]
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
    fast.chat_template = "{% for m in messages %}{{ m['role'] }} : {{ m['content'] }}{% endfor %}"
    fast.save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.LlamaConfig(vocab_size=len(words), eos_token_id=1, bos_token_id=0, **sizes)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_language_model_is_asked_as_its_template_has_it(llama):
    model, tokenizer = load_language_model(llama)
    text = "a red robot rides"
    ids = tokenizer("user : " + REQUEST.format(text=text), return_tensors="pt")["input_ids"]
    with torch.no_grad():  # greedy, a token at a time, by its scores alone
        said = []
        while len(said) < 2 * 4 + 16 and (not said or said[-1] != 1):
            scores = model(torch.cat([ids, torch.tensor([said], dtype=torch.int64)], 1)).logits
            said.append(scores[0, -1].argmax().item())
    assert predicted(model, tokenizer, text) == tokenizer.decode(said, skip_special_tokens=True).strip()


def test_a_language_model_without_its_tokenizer_is_refused(llama, tmp_path):
    copy = shutil.copytree(llama, tmp_path / "llama")
    for path in copy.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(CheckpointFolderError, match="no language model in .* its tokenizer cannot be read"):
        load_language_model(copy)


@pytest.mark.parametrize(
    ("load", "name", "remove", "said"),
    [
        (load_t5, "t5", "model.safetensors", "weights are missing: put config.json, model.safetensors and"),
        (load_t5, "t5", "config.json", "config.json or weights are missing"),
        (load_sentence_t5, "sentences", "2_Dense", "2_Dense cannot be read: .* put .*sentence-t5-base there"),
        (load_vocabulary, "t5", "spiece.model", "spiece.model cannot be read"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(folders, tmp_path, load, name, remove, said):
    copy = shutil.copytree(folders / name, tmp_path / name)
    (shutil.rmtree if (copy / remove).is_dir() else lambda path: path.unlink())(copy / remove)
    with pytest.raises(CheckpointFolderError, match=said) as told:
        load(copy)
    assert "\n" not in str(told.value)


def test_other_models_and_damaged_files_are_refused(folders, tmp_path):
    copy = shutil.copytree(folders / "t5", tmp_path / "t5")
    (copy / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointFolderError, match="no t5 in "):
        load_t5(copy)
    (copy / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(CheckpointFolderError, match="model_type is 'bert', expected 't5'"):
        load_t5(copy)
    with pytest.raises(CheckpointFolderError, match="are not in the weights"):  # an encoder alone is no T5
        load_t5(folders / "sentences")
    with pytest.raises(CheckpointFolderError, match="config.json or weights are missing"):
        load_t5(tmp_path / "none")
