# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels against hand-counted scenes."""

import pytest

from tokenlink.data.labels import LabelConfig, RoadObject, TrafficState, fit_density_thresholds, traffic_state


def road_object(kind="Car", height=40.0, occluded=0, truncated=0.0):
    return RoadObject(1, kind, (0.0, 0.0, 10.0, height), height, occluded, truncated)


@pytest.mark.parametrize("kind", ["Car", "Van", "Truck", "Tram"])
def test_each_vehicle_is_a_car(kind):
    assert traffic_state([road_object(kind)]) == TrafficState(car=True, vru=False, density=0)


@pytest.mark.parametrize("kind", ["Pedestrian", "Cyclist", "Person", "Person_sitting"])
def test_each_person_is_a_vru(kind):
    assert traffic_state([road_object(kind)]) == TrafficState(car=False, vru=True, density=0)


@pytest.mark.parametrize(
    "changes, present",
    [
        ({"height": 25.0}, True),
        ({"height": 24.9}, False),
        ({"occluded": 1}, True),
        ({"occluded": 2}, False),
        ({"truncated": 0.3}, True),
        ({"truncated": 0.31}, False),
        ({"kind": "Misc"}, False),
    ],
)
def test_kitti_moderate_decides_what_counts(changes, present):
    assert traffic_state([road_object(**changes)]).car is present


def test_minimum_size_is_configurable():
    assert traffic_state([road_object(height=12.0)], LabelConfig(min_height_375_px=10.0)).car


@pytest.mark.parametrize("n_objects, density", [(0, 0), (2, 0), (3, 1), (5, 1), (6, 2), (20, 2)])
def test_density_class_starts_at_its_threshold(n_objects, density):
    config = LabelConfig(density_thresholds=(3, 6))
    assert traffic_state([road_object()] * n_objects, config).density == density


def test_fitted_thresholds_split_frames_evenly():
    frames = [[road_object()] * n for n in range(30)]
    config = fit_density_thresholds(frames)
    classes = [traffic_state(frame, config).density for frame in frames]
    assert [classes.count(c) for c in range(3)] == [10, 10, 10]


@pytest.mark.parametrize("changes", [{"density_thresholds": (4, 4)}, {"min_height_375_px": -1.0}])
def test_impossible_configuration_is_refused(changes):
    with pytest.raises(ValueError, match="must be"):
        LabelConfig(**changes)
