# SPDX-License-Identifier: GPL-3.0-or-later
"""Imagenette fetched by URL and checksum: kept once, never half, and one sentence where it cannot be had."""

import hashlib
import importlib.util
import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from tokenlink.data import imagenette_download
from tokenlink.data.imagenette import CLASSES, PictureSetError, read_split
from tokenlink.data.imagenette_download import fetched_imagenette


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A small archive in the layout of the real one, in the place of it."""
    picture, path = io.BytesIO(), tmp_path / "imagenette2-160.tgz"
    Image.new("RGB", (200, 160), (10, 200, 30)).save(picture, "JPEG")
    with tarfile.open(path, "w:gz") as tar:
        for split in ("train", "val"):
            for wnid, _ in CLASSES:
                entry = tarfile.TarInfo(f"imagenette2-160/{split}/{wnid}/{wnid}_1.JPEG")
                entry.size = picture.getbuffer().nbytes
                tar.addfile(entry, io.BytesIO(picture.getvalue()))
    monkeypatch.setattr(imagenette_download, "URL", path.as_uri())
    monkeypatch.setattr(imagenette_download, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


def test_it_is_fetched_once_and_read_as_any_other(archive, tmp_path):
    said = []
    tar = fetched_imagenette(tmp_path / "kept", said.append)
    found = read_split(tar, "val")
    assert len(found) == len(CLASSES) and found.square(0, 128).shape == (128, 128, 3)
    assert len(said) == 1 and archive.as_uri() in said[0] and list(tar.parent.iterdir()) == [tar]
    archive.unlink()
    assert fetched_imagenette(tmp_path / "kept", said.append) == tar and len(said) == 1


@pytest.mark.parametrize("damage", ["missing", "other", "short"])
def test_what_is_not_the_file_is_not_kept(archive, tmp_path, damage):
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2] if damage == "short" else content[:-1] + b"x")
    if damage == "missing":
        archive.unlink()
    with pytest.raises(PictureSetError) as caught:
        fetched_imagenette(tmp_path / "kept", lambda line: None)
    sentence = str(caught.value)
    assert "\n" not in sentence and "--frames-from imagenette:FOLDER" in sentence and archive.as_uri() in sentence
    assert not list((tmp_path / "kept").iterdir())


def test_it_goes_to_the_users_cache(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert fetched_imagenette(say=lambda line: None) == tmp_path / "cache" / "gr-twist" / "imagenette2-160.tar"


def test_address_and_checksum_are_those_of_torchvision():
    found = importlib.util.find_spec("torchvision")  # read, not imported
    if found is None:
        pytest.skip("torchvision is not installed")
    text = (Path(found.origin).parent / "datasets" / "imagenette.py").read_text()
    assert f'("{imagenette_download.URL}", "{imagenette_download.MD5}")' in text
