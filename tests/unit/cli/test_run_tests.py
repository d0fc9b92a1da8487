# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist test`` runs the suite and its folders with several workers, single files in one process."""

import pytest

from tokenlink.cli.run_tests import worth_sharing


@pytest.mark.parametrize(
    ("arguments", "shared"),
    [
        ("", True),
        ("-k ldpc", True),
        ("-x --lf", True),
        ("tests/unit/wire", True),
        ("gr-twist tests/conformance/test_grc.py", True),
        ("tests/conformance/test_grc.py", False),
        ("tests/conformance/test_grc.py tests/conformance/test_layers.py -k blocks", False),
        ("tests/conformance/test_layers.py::test_only_two_modules_import_zmq -x", False),
    ],
)
def test_single_files_run_in_one_process(arguments, shared):
    assert worth_sharing(arguments.split()) is shared
