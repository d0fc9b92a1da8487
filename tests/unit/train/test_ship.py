# SPDX-License-Identifier: GPL-3.0-or-later
"""What a figure says of the frames it was measured on."""

import pytest

pytest.importorskip("torch")

from tokenlink.train.twist.ship import measured_part, origin_of  # noqa: E402


@pytest.mark.parametrize(
    "names, origin, prefix",
    [
        (["tracks_0004_s1"], "rendered from real tracks", "tracks_"),
        (["invented_000001"], "invented scenes", ""),
        (["invented_000001", "tracks_0004_s1"], "rendered from real tracks and invented scenes", "tracks_"),
    ],
)
def test_origin_follows_the_sequences_and_is_never_mixed_in_a_measurement(names, origin, prefix):
    assert origin_of(names) == origin
    assert measured_part(names) == prefix
    assert " and " not in origin_of([name for name in names if name.startswith(prefix)])
