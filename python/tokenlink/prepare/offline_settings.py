# SPDX-License-Identifier: GPL-3.0-or-later
"""What `./twist prepare` may be told, and what it takes where nobody says otherwise."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

from tokenlink.link.prior_schedule import OFF, exchanges_of
from tokenlink.phy.qam import BITS_PER_SYMBOL
from tokenlink.prepare.error_rates import CHANNELS
from tokenlink.prepare.groups import GROUPINGS

UNTUNED = 0.9  # threshold before there is a better one
#: with a prior: code rates, budgets of the modes over B_0, and Es/N0 that controllers are tried at, dB
TOLD_RATES = (Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(5, 6), Fraction(8, 9))
TOLD_BUDGETS = (("low", 0.5625), ("med", 0.75), ("high", 1.5))
TOLD_ESN0_DB = (4, 8, 12, 16, 20)


@dataclass(frozen=True)
class Mix:
    """Channels and nominal Es/N0 that count equally wherever the offline stage averages.

    Parameters
    ----------
    channels : tuple of str     out of CHANNELS
    esn0_db : tuple of float    dB

    Raises
    ------
    ValueError   an unknown channel, or an empty list
    """

    channels: tuple = CHANNELS
    esn0_db: tuple = tuple(range(0, 21, 2))

    def __post_init__(self):
        if not self.channels or not set(self.channels) <= set(CHANNELS):
            raise ValueError(f"channels is {list(self.channels)}, expected some of {', '.join(CHANNELS)}")
        if not self.esn0_db:
            raise ValueError("esn0_db is empty, expected at least one Es/N0 in dB")


@dataclass(frozen=True)
class LinkSettings:
    """Groups, budgets and protection.

    Parameters
    ----------
    n_groups : int                   G
    grouping : str                   one of GROUPINGS
    compare_groupings : bool         look at the protection of the other groupings too, for the report
    code_rates : tuple of Fraction   P
    nominal_budget : int             B_0, channel uses a frame
    budgets : tuple of (str, float)  name of each mode and its budget over B_0, cheapest first
    modulation : str
    max_iterations : int             of the LDPC decoder
    mix : Mix                        what eps of eq. (27) is averaged over
    mode_mixes : tuple of (str, Mix) modes with a mix of their own
    curve_db : (first, last, step)   Es/N0 of the simulated error curves, dB
    curve_blocks : int               blocks per Es/N0
    scale_iterations : tuple of int  iteration limits that get LLR multipliers
    scale_rates : tuple of Fraction  code rates that do, besides `code_rates`
    scale_blocks : int               blocks per Es/N0 of that fit
    seed : int

    Raises
    ------
    ValueError   a value outside its range
    """

    n_groups: int = 4
    grouping: str = "equal"
    compare_groupings: bool = False
    code_rates: tuple = (Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(5, 6))
    nominal_budget: int = 1280
    budgets: tuple = (("low", 0.75), ("med", 1.0), ("high", 1.5))
    modulation: str = "16qam"
    max_iterations: int = 20
    mix: Mix = Mix()
    mode_mixes: tuple = ()
    curve_db: tuple = (-2.0, 17.0, 0.5)
    curve_blocks: int = 150
    scale_iterations: tuple = (5, 10, 20, 40)
    scale_rates: tuple = (Fraction(3, 4),)
    scale_blocks: int = 150
    seed: int = 1

    def __post_init__(self):
        for name, value, legal in (
            ("grouping", self.grouping, GROUPINGS),
            ("modulation", self.modulation, tuple(BITS_PER_SYMBOL)),
        ):
            if value not in legal:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(legal)}")
        _at_least_one(self, "n_groups", "nominal_budget", "max_iterations", "curve_blocks", "scale_blocks")
        if not self.code_rates or not all(Fraction(1, 5) <= rate <= Fraction(8, 9) for rate in self.code_rates):
            raise ValueError(f"code_rates are {', '.join(map(str, self.code_rates))}, expected some in 1/5..8/9")

    def mix_of(self, mode):
        """The mix that a mode's error rates are averaged over."""
        return dict(self.mode_mixes).get(mode, self.mix)

    def budget_of(self, share):
        """Channel uses of a budget given over B_0."""
        return round(share * self.nominal_budget)


@dataclass(frozen=True)
class ThresholdSettings:
    """Search of the thresholds, eq. (42).

    Parameters
    ----------
    grid : tuple of float      T
    mismatch_weight : float    lambda, of the share of wrong tokens next to L_app
    mix : Mix                  channels and Es/N0 of the windows
    per_condition : int        windows for each channel and Es/N0
    slots, warm_up : int       slots of a window, and how many of them only set the state
    rounds : int               passes over the groups at most
    caution : float            standard errors that a change must gain
    seed : int

    Raises
    ------
    ValueError   a value outside its range
    """

    grid: tuple = (0.3, 0.5, 0.7, 0.8, 0.9, 0.97)
    mismatch_weight: float = 4.0
    mix: Mix = Mix()
    per_condition: int = 3
    slots: int = 12
    warm_up: int = 4
    rounds: int = 2
    caution: float = 1.0
    seed: int = 1

    def __post_init__(self):
        if not self.grid or not all(0 <= tau <= 1 for tau in self.grid):
            raise ValueError(f"grid is {list(self.grid)}, expected thresholds in 0..1")
        if self.mismatch_weight < 0:
            raise ValueError(f"mismatch_weight is {self.mismatch_weight}, expected >= 0")
        _at_least_one(self, "per_condition", "slots", "rounds")


@dataclass(frozen=True)
class ControllerSettings:
    """Search of the controllers' weights and thresholds, eq. (25), (26).

    Parameters
    ----------
    target_cost, cost_tolerance : float   mean B_m / B_0 that a controller may have, and how much more passes
    urgent_weight : float      what an urgent frame counts for; priority is for nothing otherwise
    mix : Mix                  channels and Es/N0
    scenes, slots : int        pieces of sequences, and slots of each
    candidates, rounds : int   candidates a round for each kind of controller, and rounds
    seed : int
    prior : str                what receivers are told, see `tokenlink.link.prior_schedule`

    Raises
    ------
    ValueError   a value outside its range
    """

    target_cost: float = 1.0
    cost_tolerance: float = 0.005
    urgent_weight: float = 3.0
    mix: Mix = Mix()
    scenes: int = 12
    slots: int = 32
    candidates: int = 32
    rounds: int = 4
    seed: int = 1
    prior: str = OFF

    def __post_init__(self):
        exchanges_of(self.prior)
        if not self.target_cost > 0:
            raise ValueError(f"target_cost is {self.target_cost}, expected > 0")
        _at_least_one(self, "scenes", "slots", "candidates", "rounds")


@dataclass(frozen=True)
class ForesightSettings:
    """Search of the values of twin-aware, where there is a predictor.

    Parameters
    ----------
    gaps_db : tuple of float    Es/N0 beyond capacity, dB
    targets : tuple of float    share of wrong tokens to aim for
    prior : str                 what receivers are told, see `tokenlink.link.prior_schedule`
    scenes : ControllerSettings   pieces of sequences, channels, limit of cost, weight of urgent frames

    Raises
    ------
    ValueError   an empty grid, or no prior
    """

    gaps_db: tuple = (1.5, 3.0, 4.0, 6.0)
    targets: tuple = (0.003, 0.01, 0.03, 0.1)
    prior: str = "3"
    scenes: ControllerSettings = field(
        default_factory=lambda: ControllerSettings(mix=Mix(esn0_db=(4, 8, 12, 16)), scenes=6)
    )

    def __post_init__(self):
        if not self.gaps_db or not self.targets:
            raise ValueError("gaps_db or targets is empty, expected at least one value of each")
        if exchanges_of(self.prior) is None:
            raise ValueError(f"prior is {self.prior!r}, expected once or 0 to 4")


@dataclass(frozen=True)
class ToldSettings:
    """Token error rates with the prior in the loop.

    Parameters
    ----------
    prior : str             what receivers are told, see `tokenlink.link.prior_schedule`; "off": protection goes by
                            random codewords, as in the paper
    scenes : ControllerSettings   pieces of sequences, channels and Es/N0
    warm_up : int           slots at the beginning of each piece that only set the state

    Raises
    ------
    ValueError   another text
    """

    prior: str = OFF
    scenes: ControllerSettings = field(default_factory=lambda: ControllerSettings(scenes=6))
    warm_up: int = 4

    def __post_init__(self):
        exchanges_of(self.prior)


@dataclass(frozen=True)
class PrepareSettings:
    """Everything: the link, its thresholds, the controllers, the one that foresees, and protection with a prior."""

    link: LinkSettings = field(default_factory=LinkSettings)
    thresholds: ThresholdSettings = field(default_factory=ThresholdSettings)
    controllers: ControllerSettings = field(default_factory=ControllerSettings)
    foresight: ForesightSettings = field(default_factory=ForesightSettings)
    told: ToldSettings = field(default_factory=ToldSettings)


def with_prior(settings, prior):
    """The same for receivers that are told what the twin expects: higher code rates, cheaper modes, protection and
    controllers measured in the closed loop. Runs that are told share few steps, so that fewer candidates are tried."""
    told = replace(settings.controllers, prior=prior, mix=Mix(esn0_db=TOLD_ESN0_DB), scenes=4, slots=24, candidates=8,
                   rounds=2)  # fmt: skip
    few = replace(told, mix=Mix(esn0_db=TOLD_ESN0_DB[:-1]), scenes=3, slots=20, candidates=6)
    foresight = ForesightSettings((3.0, 5.0), (0.01, 0.03, 0.06, 0.1), prior, few)
    link = replace(settings.link, code_rates=TOLD_RATES, budgets=TOLD_BUDGETS)
    return replace(settings, link=link, controllers=few, foresight=foresight, told=ToldSettings(prior, told))


def trial(settings):
    """The same with so little of everything that it takes seconds; the results say little."""
    few = Mix(esn0_db=(6, 14))
    return PrepareSettings(
        replace(settings.link, curve_db=(0.0, 15.0, 3.0), curve_blocks=10, scale_iterations=(), scale_blocks=10),
        replace(settings.thresholds, mix=few, grid=(0.5, 0.9), per_condition=1, slots=3, warm_up=1, rounds=1),
        replace(settings.controllers, mix=few, scenes=1, slots=4, candidates=3, rounds=1),
        replace(settings.foresight, gaps_db=(3.0,), targets=(0.01,),
                scenes=replace(settings.foresight.scenes, mix=few, scenes=1, slots=4)),
        replace(settings.told, scenes=replace(settings.told.scenes, mix=few, scenes=1, slots=4), warm_up=1),
    )


def _at_least_one(settings, *names):
    for name in names:
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} is {getattr(settings, name)}, expected >= 1")
