# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode tables: every shipped one is valid, every mistake is named."""

import copy
from importlib import resources

import pytest
import yaml

from tokenlink.link.modes import ModeTableError, load_mode_table, parse_mode_table

FOLDER = resources.files("tokenlink.link") / "tables"
TABLES = sorted(path for path in FOLDER.iterdir() if not path.name.startswith(("adaptive_", "tokcode_")))
DEFAULT = yaml.safe_load((FOLDER / "twist_default.yaml").read_text())


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.name)
def test_shipped_tables_are_valid_and_within_budget(path):
    table = load_mode_table(path)
    assert sum(len(p) for p in table.group_positions) == table.n_tokens
    for mode in table.modes:
        assert table.total_channel_uses(mode) <= mode.budget


def test_default_budgets_are_the_design_ones():
    table = load_mode_table()
    assert [table.relative_cost(m) for m in table.modes] == [0.75, 1.0, 1.5]
    assert (table.vocab_size, table.n_tokens, table.n_groups) == (1024, 256, 4)
    # c(p) = log2(K) / (4 p) channel uses a token, 64 tokens a group
    assert [table.channel_uses(table.mode_named("low"), g) for g in range(4)] == [320, 240, 192, 192]


@pytest.mark.parametrize("modulation, uses", [("16qam", [32, 15, 17]), ("qpsk", [63, 30, 33])])
def test_a_symbol_that_is_filled_in_part_counts_whole(modulation, uses):
    """Groups of 7, 5 and 9 tokens of 6 bits at 1/3, 1/2, 5/6 are 126, 60 and 64.8 coded bits: in symbols of four bits
    31.5, 15 and 16.2, of two bits 63, 30 and 32.4. A budget of one less than their whole numbers is too small."""
    raw = {"schema": 1, "vocab_size": 37, "grid": [3, 7], "group_map": ["0000000", "1111122", "2222222"],
           "nominal_budget": 64, "modulation": modulation, "max_iterations": 20,
           "llr_scale": {20: {"1/3": 0.9, "1/2": 0.9, "5/6": 0.9}},
           "modes": [{"name": "a", "budget": sum(uses), "code_rates": ["1/3", "1/2", "5/6"], "thresholds": [0.9] * 3}]}
    table = parse_mode_table(raw)
    assert [table.channel_uses(table.modes[0], group) for group in range(3)] == uses
    raw["modes"][0]["budget"] -= 1
    with pytest.raises(ModeTableError, match=f"{sum(uses)} channel uses.*within its budget of {sum(uses) - 1}"):
        parse_mode_table(raw)


def test_a_grid_may_have_as_many_tokens_as_it_says_and_no_more():
    """What is refused of the greatest grid is the map, which has other rows."""
    for grid, said in (([128, 512], "^group_map"), ([129, 512], "at most 65536"), ([1, 513], "1..512")):
        with pytest.raises(ModeTableError, match=said):
            parse_mode_table(broken(("grid",), grid))


def broken(path, value):
    raw = copy.deepcopy(DEFAULT)
    target = raw
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return raw


@pytest.mark.parametrize("path, value, match", [
    (("schema",), 2, "schema is 2"),
    (("vocab_size",), 1, "vocab_size is 1"),
    (("vocab_size",), True, "vocab_size"),
    (("schema",), 0, "schema is 0"),
    (("nominal_budget",), 0, "nominal_budget is 0"),
    (("max_iterations",), 0, "max_iterations is 0"),
    (("codebook",), "ab" * 31, "codebook is 'abab.*64 hexadecimal digits"),
    (("codebook",), 12, "codebook is 12"),
    (("grid",), [8], "grid"),
    (("modulation",), "8psk", "modulation is '8psk'"),
    (("group_map", 0), "3" * 31, "group_map"),
    (("group_map", 0), "5" * 32, "without a gap"),
    (("modes", 0, "budget"), 900, "944 channel uses.*budget of 900"),
    (("modes", 0, "code_rates"), ["1/2"], "list of 4"),
    (("modes", 0, "code_rates", 0), "3/2", "code rate"),
    (("modes", 0, "thresholds", 0), 1.5, "thresholds is 1.5"),
    (("modes", 1, "name"), "low", "all different"),
    (("llr_scale",), {"1/2": 0.8}, "llr_scale.*20 among them"),
    (("llr_scale", 20, "1/2"), -1, r"llr_scale\[20\]\[1/2\] is -1"),
    (("llr_scale", 20), {"1/2": 0.8, "2/3": 0.8}, "without 5/6.*every code rate of mode low"),
    (("max_iterations",), 7, "7 among them"),
    (("surprise",), 1, "surprise"),
    ((1,), 1, r"field is \['1'\]"),
    (("schema",), True, "schema is True"),
    (("modulation",), ["16qam"], "modulation is"),
    (("group_map", 0), "²" * 32, "group_map"),
    (("modes", 0, "code_rates", 0), float("inf"), "code_rates is inf"),
    (("modes", 0, 3), 1, r"modes\[0\] fields"),
])
def test_mistakes_are_named(path, value, match):
    with pytest.raises(ModeTableError, match=match):
        parse_mode_table(broken(path, value))


def test_missing_field_and_missing_file_are_named(tmp_path):
    with pytest.raises(ModeTableError, match="modes"):
        parse_mode_table({k: v for k, v in DEFAULT.items() if k != "modes"})
    with pytest.raises(ModeTableError, match="nowhere"):
        load_mode_table(tmp_path / "nowhere.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ModeTableError, match="picture.yaml"):
        load_mode_table(tmp_path / "picture.yaml")


def test_unknown_mode_is_named():
    with pytest.raises(ModeTableError, match="mode_id is 7"):
        load_mode_table().mode(7)


def test_the_least_values_are_taken():
    assert parse_mode_table(broken(("nominal_budget",), 1)).nominal_budget == 1
    few = DEFAULT | {"max_iterations": 1, "llr_scale": {1: DEFAULT["llr_scale"][5]}}
    assert parse_mode_table(few).max_iterations == 1
