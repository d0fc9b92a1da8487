# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic-state labels: is a car there, is a vulnerable road user there, how dense is the traffic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

CAR_KINDS = frozenset({"Car", "Van", "Truck", "Tram"})
VRU_KINDS = frozenset({"Pedestrian", "Cyclist", "Person", "Person_sitting"})
DENSITY_NAMES = ("low", "medium", "high")

TRAIN_SEQUENCES = ("0000", "0001", "0003", "0005", "0006", "0007", "0009", "0011", "0017", "0019", "0020")
VALIDATION_SEQUENCES = ("0002", "0015")
TEST_SEQUENCES = ("0004", "0008", "0013", "0016")


@dataclass(frozen=True)
class RoadObject:
    """One road user in one picture.

    Attributes
    ----------
    track_id : int          same road user, same number; -1 unknown
    kind : str              KITTI class name
    box_px : 4 floats       left, top, right, bottom in pixels of the picture it belongs to
    height_375_px : float   height of the box if the camera picture were 375 pixels tall
    occluded : int          KITTI: 0 visible, 1 partly, 2 largely occluded, 3 unknown or hidden
    truncated : float       share outside the picture, 0..1
    size_hwl_m, position_m : 3 floats or None   metres; bottom centre as x right, y down, z ahead
    yaw_rad : float         KITTI rotation_y, 0 means facing right
    """

    track_id: int
    kind: str
    box_px: tuple[float, float, float, float]
    height_375_px: float
    occluded: int = 0
    truncated: float = 0.0
    size_hwl_m: tuple[float, float, float] | None = None
    position_m: tuple[float, float, float] | None = None
    yaw_rad: float = 0.0


@dataclass(frozen=True)
class LabelConfig:
    """What counts as present (KITTI "moderate" by default) and where the density classes begin.

    Attributes
    ----------
    min_height_375_px : float       smallest box height that counts, at 375 pixels of picture height
    max_occluded : int              largest KITTI level that counts
    max_truncated : float           largest share outside the picture that counts, 0..1
    density_thresholds : 2 ints     fewest counted objects of class medium and of class high; the defaults are
                                    the tertiles over TRAIN_SEQUENCES, see `fit_density_thresholds`
    """

    min_height_375_px: float = 25.0
    max_occluded: int = 1
    max_truncated: float = 0.3
    density_thresholds: tuple[int, int] = (2, 5)

    def __post_init__(self):
        medium, high = self.density_thresholds
        if not 0 < medium < high:
            raise ValueError(f"density_thresholds must be rising and positive, got {self.density_thresholds}")
        if self.min_height_375_px < 0:
            raise ValueError(f"min_height_375_px must be >= 0, got {self.min_height_375_px}")


@dataclass(frozen=True)
class TrafficState:
    """Label of one frame: car present, vulnerable road user present, density class 0 low, 1 medium, 2 high."""

    car: bool
    vru: bool
    density: int

    def as_array(self) -> np.ndarray:
        """The label as int64 [3]: car, vru, density."""
        return np.array([self.car, self.vru, self.density], dtype=np.int64)


def counts(road_object: RoadObject, config: LabelConfig) -> bool:
    """Whether a road user is large and visible enough to count towards the labels."""
    return (
        road_object.kind in CAR_KINDS | VRU_KINDS
        and road_object.height_375_px >= config.min_height_375_px
        and road_object.occluded <= config.max_occluded
        and road_object.truncated <= config.max_truncated
    )


def traffic_state(objects: Iterable[RoadObject], config: LabelConfig | None = None) -> TrafficState:
    """Traffic state of one frame.

    Parameters
    ----------
    objects : RoadObject, any number   what is in the picture
    config : LabelConfig or None       None means the defaults

    Notes
    -----
    TWIST paper, eq. (43).
    """
    config = config or LabelConfig()
    counted = [o for o in objects if counts(o, config)]
    density = int(np.searchsorted(config.density_thresholds, len(counted), side="right"))
    return TrafficState(
        car=any(o.kind in CAR_KINDS for o in counted),
        vru=any(o.kind in VRU_KINDS for o in counted),
        density=density,
    )


def fit_density_thresholds(frames: Iterable[Sequence[RoadObject]], config: LabelConfig | None = None) -> LabelConfig:
    """Config whose density thresholds split the given (training) frames as evenly as whole numbers allow."""
    config = config or LabelConfig()
    n_counted = np.array([sum(counts(o, config) for o in objects) for objects in frames])
    if n_counted.size == 0:
        raise ValueError("frames must not be empty")
    medium = max(1, int(np.ceil(np.quantile(n_counted, 1 / 3))))
    high = max(medium + 1, int(np.ceil(np.quantile(n_counted, 2 / 3))))
    return replace(config, density_thresholds=(medium, high))
