# SPDX-License-Identifier: GPL-3.0-or-later
"""Changed pictures: boxes follow what Pillow draws, weather follows its formula, nothing leaves its range."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import laplace

from tokenlink.data import augment

FRAME = (512, 128)


@pytest.fixture
def street():
    """Smooth random colours, float32 [128, 512, 3]."""
    coarse = np.random.default_rng(1).integers(0, 256, (8, 32, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(FRAME), np.float32) / 255


@pytest.mark.parametrize("seed", range(12))
def test_boxes_are_where_pillow_draws_them(seed):
    rng = np.random.default_rng(seed)
    view = augment.draw_view(rng, (620, 188), FRAME, max_zoom=1.5)
    box = np.array([[250, 90, 330, 130]], np.float32)
    picture = Image.new("RGB", (620, 188))
    picture.paste((255, 255, 255), (250, 90, 330, 130))
    bright = view.picture(picture, *FRAME)[..., 0] > 127
    boxes, kept = view.boxes(box, *FRAME)
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    assert kept.all()
    assert boxes[0] == pytest.approx([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], abs=1.6)


def test_a_box_that_leaves_the_frame_is_cut_and_then_dropped():
    view = augment.View((300.0, 64.0), 1.0)
    boxes, kept = view.boxes(np.array([[30, 10, 60, 20], [30, 10, 50, 20], [500, 0, 540, 8]], np.float32), *FRAME)
    assert kept.tolist() == [True, False, True]
    assert boxes.tolist() == [[0, 10, 16, 20], [456, 0, 496, 8]]


def test_views_lie_inside_the_picture():
    for seed in range(300):
        rng = np.random.default_rng(seed)
        size = (512, 128) if seed % 2 else (620, 188)
        a, b, c, d, e, f = augment.draw_view(rng, size, FRAME, max_roll_rad=0.2).coefficients(*FRAME)
        for u, v in ((0, 0), (512, 0), (0, 128), (512, 128)):
            assert -1 < a * u + b * v + c < size[0] + 1 and -1 < d * u + e * v + f < size[1] + 1


def test_without_zoom_the_frame_is_the_picture_or_its_mirror_image(street):
    picture = (street * 255).astype(np.uint8)
    seen = set()
    for seed in range(8):
        view = augment.draw_view(np.random.default_rng(seed), FRAME, FRAME, max_zoom=1.0)
        assert np.array_equal(view.picture(Image.fromarray(picture), *FRAME), picture[:, :: -1 if view.mirror else 1])
        seen.add(view.mirror)
    assert seen == {False, True}


def test_fog_takes_contrast_by_koschmieders_law():
    """Contrast falls as exp(-extinction * distance), the same for all colours; distance is one over the row."""
    dark, light = (np.full((128, 512, 3), value, np.float32) for value in (0.2, 0.6))
    contrast = (augment.fog(np.random.default_rng(3), light) - augment.fog(np.random.default_rng(3), dark)) / 0.4
    assert np.allclose(contrast, contrast[:, :1, :1], atol=1e-5)
    near = -np.log(contrast[-40:, 0, 0])
    row = np.arange(88, 128)
    slope, offset = np.polyfit(row, 1 / near, 1)
    assert np.allclose(1 / near, slope * row + offset, rtol=1e-3)
    assert 0.3 * 128 < -offset / slope < 0.45 * 128


def test_looks_stay_pictures_and_leave_theirs_alone(street):
    before = street.copy()
    looks = [augment.draw_look(np.random.default_rng(seed), street) for seed in range(60)]
    assert np.array_equal(street, before)
    for look in looks:
        assert look.shape == street.shape and look.dtype == np.float32 and 0 <= look.min() <= look.max() <= 1
    assert np.array_equal(looks[4], augment.draw_look(np.random.default_rng(4), street))
    assert len({look.tobytes() for look in looks}) > 40  # one in nine stays as it is


@pytest.mark.parametrize("change", [change for _, change in augment._CHANGES])
def test_every_change_is_seen_and_keeps_the_scene(change, street):
    changed = np.clip(change(np.random.default_rng(5), street), 0, 1)
    assert changed.dtype == np.float32
    assert np.abs(changed - street).mean() > 1e-3
    assert np.corrcoef(changed.ravel(), street.ravel())[0, 1] > 0.6


def test_blur_takes_edges(street):
    noisy = street + np.random.default_rng(2).normal(0, 0.1, street.shape).astype(np.float32)
    blurred = augment.blur(np.random.default_rng(6), np.clip(noisy, 0, 1))
    assert np.abs(laplace(blurred)).mean() < 0.7 * np.abs(laplace(noisy)).mean()


def test_noise_of_the_sensor_is_as_strong_as_it_may_be():
    """Seeds 0 to 299: standard deviations are uniform in 0..0.02, but for the third that JPEG smooths."""
    grey = np.full((32, 64, 3), 0.5, np.float32)
    noise = np.array([(augment.sensor(np.random.default_rng(seed), grey) - grey).std() for seed in range(300)])
    assert noise.max() < 0.0205
    assert np.mean(noise > 0.01) > 0.25 and np.mean(noise > 0.002) < 0.95


def test_jpeg_is_worse_at_lower_quality(street):
    rough = np.clip(street + np.random.default_rng(2).normal(0, 0.1, street.shape), 0, 1).astype(np.float32)
    errors = [np.abs(augment.jpeg(rough, quality) - rough).mean() for quality in (90, 60, 30)]
    assert 0 < errors[0] < errors[1] < errors[2] < 0.2


def test_zoom_below_one_is_refused():
    with pytest.raises(ValueError, match="max_zoom must be >= 1, got 0.5"):
        augment.draw_view(np.random.default_rng(0), FRAME, FRAME, max_zoom=0.5)
