# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of settings: the values PyYAML's safe loader finds, bounds on all else, errors with file, field, value."""

import pickle

import pytest
import yaml

from tokenlink.control import ControllerError, load_controller
from tokenlink.files.bounded_yaml import MAX_DEPTH, BoundedLoader, PythonLoader
from tokenlink.files.settings import MAX_BYTES, MAX_VALUE, SettingError, load_yaml, read_settings, shortened
from tokenlink.link.modes import ModeTableError, load_mode_table, parse_mode_table
from tokenlink.radio.profiles import PROFILES, ProfileError, read_profile

TABLES = PROFILES.parents[1] / "python" / "tokenlink"
SHIPPED = sorted([*PROFILES.glob("*.yaml"), *TABLES.glob("*/tables/*.yaml")])
DEFAULT = yaml.safe_load((TABLES / "link" / "tables" / "twist_default.yaml").read_text())


def bomb(levels):
    """Each level nine times the one before: nine to the power of ``levels`` values in a line each."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    return "\n".join(lines + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)])


@pytest.mark.parametrize("loader", [BoundedLoader, PythonLoader])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_hold_what_the_safe_loader_finds(path, loader):
    text = path.read_text()
    assert loader(text).get_single_data() == yaml.safe_load(text)


@pytest.mark.parametrize("loader", [BoundedLoader, PythonLoader])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bomb(9), "more than 50000 values, aliases counted"),
        ("{a: &a {x: 1}, b: &b {<<: [*a, *a]}, c: *c}", "undefined alias"),
        ("a: &a [*a]", "'a' holds itself"),
        ("[" * 100_000, f"more than {MAX_DEPTH} levels|exceeded maximum nesting depth"),  # some libyaml look far ahead
        ("- " * 100_000, f"more than {MAX_DEPTH} levels"),
        ("a: 1\nb: 2\na: 3", "'a' is there twice"),
        ("a: " + "9" * 5000, "'9999999999.* is no number"),
        ("a: 0x" + "f" * 30, "must be below 2"),
        ("a: 190:20:30:1:1:1:1:1:1:1:1", "must be below 2"),
        ("a: .inf", "must be finite"),
        ("a: !!int x", "'x' is no number"),
        ("a: !!bool x", "'x' is no truth value"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_too_much_is_refused(text, said, loader):
    with pytest.raises(yaml.YAMLError, match=said):
        loader(text).get_single_data()


def test_dates_stay_text():
    assert load_yaml("a: 2024-01-01\nb: 2001-99-99") == {"a": "2024-01-01", "b": "2001-99-99"}


@pytest.mark.parametrize(
    ("read", "error_class", "what"),
    [
        (load_mode_table, ModeTableError, "mode table"),
        (load_controller, ControllerError, "controller"),
        (read_profile, ProfileError, "radio profile"),
    ],
)
def test_all_files_are_read_the_same_way(tmp_path, read, error_class, what):
    path = tmp_path / "mine.yaml"
    cases = {
        "[" * 200: "more than 16 levels, line 1, column 17",
        bomb(9): "more than 50000 values",
        "a: 1\na: 2": "'a' is there twice, line 2, column 1",
        "x" * (MAX_BYTES + 1): f"the file has more than {MAX_BYTES} bytes",
        "\udce9": "byte 0 is no UTF-8 text",
        "- 1\n- 2": r"document is \[1, 2\], must be a mapping",
        "": "document is None, must be a mapping",
    }
    for text, said in cases.items():
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(error_class, match=f"^{what} {path}: {said}") as caught:
            read(str(path))
        assert isinstance(caught.value, SettingError) and caught.value.file == str(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(error_class, match=f"{path}: Is a directory"):
        read_settings(path, dict, error_class)


@pytest.mark.parametrize("rate", ["1e999999999", "-1e999999999", "1/0", "9" * 400, 1e400, "0x1/2", "1/2/3", True, [1]],
                         ids=lambda rate: str(rate)[:12])
def test_a_code_rate_is_a_short_fraction(rate):
    raw = DEFAULT | {"modes": [DEFAULT["modes"][0] | {"code_rates": [rate, "2/3", "5/6", "5/6"]}]}
    with pytest.raises(ModeTableError, match="code rate such as 1/2") as caught:
        parse_mode_table(raw)
    error = caught.value
    assert (error.field, error.value) == ("modes[0].code_rates", shortened(rate)) and len(str(error)) < 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vocab_size": 2**40}, "vocab_size is 1099511627776, must be an integer in 2..32768"),
        ({"grid": [100_000, 100_000]}, r"grid is \[100000, 100000\], must be rows and cols"),
        ({"nominal_budget": 2**16}, "nominal_budget is 65536, must be an integer in 1..65535"),
        ({"max_iterations": 10**9}, "max_iterations is 1000000000, must be an integer in 1..1000"),
        ({"modes": [{}] * 257}, "modes is .*, must be a list of 1 to 256 modes"),
        ({"grid": [32, 64], "group_map": ["0123" + "0" * 60] * 32}, "group 0 is '19520 bits of tokens', must be"),
    ],
)
def test_sizes_of_a_table_are_bounded(change, said):
    with pytest.raises(ModeTableError, match=said):
        parse_mode_table(DEFAULT | change)


def test_values_are_shortened_and_errors_travel():
    deep = []
    for _ in range(1000):
        deep = [deep] * 9
    for value in (deep, "x" * 10**6, 10**5000, {str(i): "y" * 100 for i in range(1000)}, list(range(10**5))):
        assert len(shortened(value)) <= MAX_VALUE + 3
    error = ModeTableError.of("grid", "x" * 1000, "two integers")
    again = pickle.loads(pickle.dumps(error))  # as between the processes of a sweep
    assert (str(again), again.field, again.legal) == (str(error), "grid", "two integers")
