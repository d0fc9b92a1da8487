# SPDX-License-Identifier: GPL-3.0-or-later
"""A results folder holds the same bytes for the same content, and nothing that a reader could not take."""

import json

import numpy as np
import pytest

from tokenlink.control import ControlConfig
from tokenlink.study.plan import Setting, content_hash
from tokenlink.study.result_store import ResultStore, StoreError, load_results

SETTING = Setting("invented", "test", ControlConfig(), {"table": "t", "models": {"head": "h"}})


def test_the_folder_is_made_with_all_above_it(tmp_path):
    ResultStore(tmp_path / "runs" / "main", SETTING)
    text = (tmp_path / "runs" / "main" / "sweep.json").read_text()
    assert text == json.dumps(SETTING.as_dict(), indent=2, sort_keys=True) + "\n"
    (tmp_path / "empty").mkdir()
    assert ResultStore(tmp_path / "empty", SETTING).folder == tmp_path / "empty"


def test_the_order_of_keys_changes_neither_name_nor_bytes(tmp_path):
    store, written = ResultStore(tmp_path, SETTING), set()
    for config, row in (({"b": 1, "a": [2]}, {"y": 0.5, "x": None}), ({"a": [2], "b": 1}, {"x": None, "y": 0.5})):
        store.write(config, row)
        path = store.path_of(config)
        written.add((path, path.read_text()))
        assert store.read_row(config) == row
    ((path, text),) = written
    assert text == '{"config": {"a": [2], "b": 1}, "rows": [{"x": null, "y": 0.5}]}\n'
    assert path.stem == content_hash({"a": [2], "b": 1}) and len(path.stem) == 64


def test_a_figure_that_is_none_is_not_written(tmp_path):
    store = ResultStore(tmp_path, SETTING)
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write({"a": 1}, {"x": float("nan")})
    assert not store.has({"a": 1})


def test_series_are_beside_the_results_that_have_them(tmp_path):
    store = ResultStore(tmp_path, SETTING)
    store.write({"a": 1}, {"x": 1}, {"u": np.arange(2)})
    store.write({"a": 2}, {"x": 2})
    found = {result["config"]["a"]: result["series"] for result in load_results(tmp_path)}
    assert found[2] is None and np.load(found[1])["u"].tolist() == [0, 1]


@pytest.mark.parametrize("text", ['{"config": {}}', '{"rows": []}'])
def test_half_a_result_is_none(tmp_path, text):
    store = ResultStore(tmp_path, SETTING)
    store.path_of({}).write_text(text)
    with pytest.raises(StoreError, match="lacks config or rows"):
        load_results(tmp_path)


@pytest.mark.parametrize("change, message", [
    (lambda head: head.pop("priority"), "priority is None there and exogenous now"),
    (lambda head: head.update(more=1), "more is 1 there and None now"),
    (lambda head: head["hashes"]["models"].update(head="other"), "hashes.models.head is other there and h now"),
])  # fmt: skip
def test_whatever_differs_is_named(tmp_path, change, message):
    ResultStore(tmp_path, SETTING)
    head = json.loads((tmp_path / "sweep.json").read_text())
    change(head)
    (tmp_path / "sweep.json").write_text(json.dumps(head))
    with pytest.raises(StoreError, match=message):
        ResultStore(tmp_path, SETTING)
