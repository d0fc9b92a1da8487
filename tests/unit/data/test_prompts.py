# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts from files: which are read, and how those that are not are named."""

import pytest

from tokenlink.data.prompts import PromptFileError, Refused, read_prompts, training_part, validation_part


def test_lines_are_texts_and_refused_ones_are_named(tmp_path):
    path = tmp_path / "some.txt"
    path.write_text(" a red bicycle \n\nx\na tree\n   \n", encoding="utf-8")

    def check(text):
        if len(text) < 2:
            raise ValueError("too short: it has one letter")

    found = read_prompts(path, check)
    assert found.texts == ("a red bicycle", "a tree")
    assert found.refused == (Refused(2, "empty", ""), Refused(3, "too short", "x"), Refused(5, "empty", ""))
    assert found.summary() == "2 texts, 3 lines refused: 2 empty (first line 2); 1 too short (line 3)"


def test_the_end_of_a_file_is_no_line(tmp_path):
    (tmp_path / "a").write_text("one\ntwo")
    (tmp_path / "b").write_text("one\ntwo\n")
    assert read_prompts(tmp_path / "a") == read_prompts(tmp_path / "b")
    assert read_prompts(tmp_path / "b").summary() == "2 texts"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "1 empty"), (b"\xff\xfe", "not UTF-8: byte 0"), (b"\n\n", "refused: 2 empty")],
)
def test_files_that_cannot_be_used_are_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "some.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PromptFileError, match=said):
        read_prompts(path)


def test_validation_is_apart_from_training():
    texts = tuple(map(str, range(101)))
    assert validation_part(texts) == ("0", "20", "40", "60", "80", "100")
    assert not set(validation_part(texts)) & set(training_part(texts))
    assert len(training_part(texts)) == 95
