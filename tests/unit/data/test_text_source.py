# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from files: what is in them, what is passed over, and every mistake named."""

import pytest

from tokenlink.data.text_source import Text, demo_texts, open_texts


def test_lines_are_texts_and_empty_ones_are_counted(tmp_path, caplog):
    path = tmp_path / "some.txt"
    path.write_text("one cat\n\n  two dogs  \r\n\t\nthr\u00e9e", encoding="utf-8")
    for spec in (f"text:{path}", str(path)):
        source = open_texts(spec)
        assert (len(source), source.origin, source.splits) == (3, "some.txt", False)
        names = [f"some.txt, text {number}" for number in (1, 2, 3)]
        expected = [Text(*each) for each in zip(("one cat", "two dogs", "thr\u00e9e"), names, strict=True)]
        assert list(source) == expected and list(source) == expected
        assert source.n_skipped == 2
    assert "some.txt: 3 texts, 2 lines refused: 2 empty (first line 2)" in caplog.text
    assert open_texts(f"text:{path}?long=split").splits and not open_texts(f"text:{path}?long=refuse").splits


def test_what_is_no_source_of_texts_is_named(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a text\n")
    for spec, match in (
        (f"text:{path}?short=1", "it has short, expected long"),
        (f"text:{path}?long=no", "long is 'no', expected one of refuse, split"),
        ("imagenette:x", "wrong source 'imagenette:x', expected one of text:FILE"),
        (f"text:{tmp_path / 'nowhere'}", "nowhere"),
    ):
        with pytest.raises(ValueError, match=match):
            open_texts(spec)


def test_texts_that_ship_are_forty_different_ones():
    texts = [each.text for each in open_texts(demo_texts())]
    assert len(texts) == len(set(texts)) == 40
    assert all(8 <= len(text.split()) <= 40 for text in texts)
