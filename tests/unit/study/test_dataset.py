# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences by origin and split, kept in the cache, tokenized as the camera does."""

import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tokenlink.data.splits import split_name  # noqa: E402
from tokenlink.study import dataset, sequence_frames  # noqa: E402
from tokenlink.study.dataset import DatasetError, Sequence, load_sequences, require_labels  # noqa: E402


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    from tokenlink.models import artifact
    from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig

    torch.manual_seed(1)
    sizes = {"dim_fine": 8, "dim_coarse": 16, "blocks_fine": 0, "blocks_coarse": 1, "codebook_dim": 8}
    tokenizer = Tokenizer(TokenizerConfig(**sizes))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    root = tmp_path_factory.mktemp("artifacts")
    artifact.save_artifact("tokenizer", tokenizer, {}, {}, root)
    return root


def pictures(folder, n, seed=1):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(n):
        Image.fromarray(rng.integers(0, 256, (188, 620, 3), dtype=np.uint8)).save(folder / f"{number:06d}.png")


def test_invented_scenes_are_those_of_the_source_and_are_kept(artifacts, tmp_path):
    pytest.importorskip("panda3d")
    from tokenlink.data.sources import invented_scene
    from tokenlink.models import artifact
    from tokenlink.models.twist.tokenizer import encode_image

    options = {"artifacts": artifacts, "cache": tmp_path, "n_invented": 1, "invented_frames": 3}
    (sequence,) = load_sequences("invented", "val", **options)
    frames, model, ids = list(invented_scene(50000, 3)), artifact.load("tokenizer", artifacts), None
    for slot, frame in enumerate(frames):
        ids = encode_image(model, frame.image, ids)
        assert np.array_equal(sequence.token_ids[slot], ids)
        assert np.array_equal(sequence.labels[slot], frame.labels.as_array())
        assert np.array_equal(sequence.images()[slot], frame.image)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.np?")}
    (again,) = load_sequences("invented", "val", **options)
    assert again.sha256() == sequence.sha256() and len(written) == 3
    assert all(path.name.startswith("invented_050000-") for path in written)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.np?")} == written
    (short,) = load_sequences("invented", "val", limit=2, **options)
    assert len(short) == len(short.labels) == len(short.images()) == 2 and short.sha256() != sequence.sha256()


def test_raw_drives_have_no_labels_and_stills_know_their_cars(artifacts, tmp_path, monkeypatch):
    pictures(tmp_path / "drive" / "image_02", 3)
    pictures(tmp_path / "stills" / "image_02", 3, seed=2)
    known = {"000000": [100, 30], "000001": [], "000002": [624, 625]}
    (tmp_path / "stills" / sequence_frames.STILL_CARS).write_text(json.dumps(known))
    folders = [tmp_path / "drive", tmp_path / "stills"]
    drive, stills = load_sequences("real", real=folders, artifacts=artifacts, cache=tmp_path / "cache")
    assert (drive.name, len(drive), drive.labels) == ("raw_drive", 3, None)
    assert stills.labels[::sequence_frames.STILL_SLOTS].tolist() == [[0, -1, -1], [0, -1, -1], [1, -1, -1]]
    assert np.array_equal(stills.token_ids[0], stills.token_ids[sequence_frames.STILL_SLOTS - 1])
    monkeypatch.setattr(sequence_frames, "STILLS_A_SEQUENCE", 2)
    _, first, second = load_sequences("real", real=folders, artifacts=artifacts, cache=tmp_path / "cache")
    assert (first.name, second.name) == ("stills_stills_1", "stills_stills_2")
    assert np.array_equal(np.concatenate([first.labels, second.labels]), stills.labels)
    assert np.array_equal(np.concatenate([first.images(), second.images()]), stills.images())
    with pytest.raises(DatasetError, match="sequences without labels: raw_drive"):
        require_labels([drive, stills])


def test_the_first_still_without_cars_is_named(artifacts, tmp_path):
    pictures(tmp_path / "stills" / "image_02", 3)
    (tmp_path / "stills" / sequence_frames.STILL_CARS).write_text(json.dumps({"000000": []}))
    with pytest.raises(DatasetError, match="says nothing of 000001 and 1 more stills"):
        load_sequences("real", real=[tmp_path / "stills"], artifacts=artifacts, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"origin": "drawn"}, "origin is 'drawn', expected one of rendered, invented, real"),
        ({"split": "all"}, "split is 'all', expected one of train, val, test"),
        ({"origin": "rendered"}, "origin rendered needs --tracks"),
        ({"origin": "real"}, "origin real needs --real"),
        ({"n_invented": 0}, "0 invented scenes of 120 frames"),
        ({"limit": 0}, "limit is 0"),
    ],
)
def test_what_is_not_there_is_said(options, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        load_sequences(cache=tmp_path, **options)


def test_an_empty_split_and_frames_of_another_split_are_refused(tmp_path):
    (tmp_path / "label_02").mkdir()
    (tmp_path / "label_02" / "0002.txt").write_text("")
    with pytest.raises(DatasetError, match="split test is empty: none of 0004, 0008, 0013, 0016"):
        load_sequences("rendered", "test", tracks=tmp_path, cache=tmp_path)
    np.save(tmp_path / "tracks_0002_s50.npy", np.zeros((1, 128, 512, 3), np.uint8))
    np.savez(tmp_path / "tracks_0002_s50.npz", labels=np.zeros((1, 3), np.int64))
    with pytest.raises(DatasetError, match="frames of tracks_0002_s50 do not belong to split test"):
        load_sequences("rendered", "test", frames=tmp_path, cache=tmp_path)


def test_tracks_of_ones_own_are_tested_on_and_none_that_weights_have_seen(tmp_path, monkeypatch):
    (tmp_path / "label_02").mkdir()
    for name in ("0004", "0010", "0012"):
        (tmp_path / "label_02" / f"{name}.txt").write_text("")
    np.save(tmp_path / "drawn.npy", np.zeros((2, 128, 512, 3), np.uint8))
    asked = []

    def draw(folder, name, split, cache):
        asked.append((name, split))
        return tmp_path / "drawn.npy", np.zeros((2, 3), np.int64)

    monkeypatch.setattr(sequence_frames, "_draw_tracks", draw)
    monkeypatch.setattr(dataset, "_Tokenizing", lambda *options: lambda path: np.zeros((2, 256), np.int16))
    found = load_sequences("rendered", "test", tracks=tmp_path, cache=tmp_path, names=("0010", "0012"))
    assert [sequence.name for sequence in found] == ["tracks_0010_s100", "tracks_0012_s100"]
    assert asked == [("0010", "test"), ("0012", "test")]
    assert split_name("test", ("0010", "0012")) == "test 0010,0012" and split_name("val") == "val"
    for names, message in (
        (("0010", "0000"), "0000 is one that weights and thresholds were trained on; expected none of 0000, 0001"),
        (("0015",), "0015 is one that weights and thresholds were chosen by; expected none of 0002, 0015"),
        (("0010", "0010"), "each once"), (("0010", "0018"), "0018 is not in"), ((), "expected names such as 0010"),
    ):  # fmt: skip
        with pytest.raises(DatasetError, match=message):
            load_sequences("rendered", "test", tracks=tmp_path, cache=tmp_path, names=names)
    for options in (("invented", "test"), ("rendered", "val")):
        with pytest.raises(DatasetError, match="expected rendered, test"):
            load_sequences(*options, tracks=tmp_path, cache=tmp_path, names=("0010",))


def test_sequences_of_other_content_have_other_hashes():
    tokens, labels = np.zeros((2, 4), np.int16), np.zeros((2, 3), np.int64)
    each = [Sequence("a", tokens, labels, "real"), Sequence("a", tokens, None, "real"),
            Sequence("b", tokens, labels, "real"), Sequence("a", tokens + 1, labels, "real")]  # fmt: skip
    assert len({sequence.sha256() for sequence in each}) == 4
