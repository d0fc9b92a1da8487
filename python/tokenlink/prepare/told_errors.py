# SPDX-License-Identifier: GPL-3.0-or-later
"""Token error rates with the twin's prior in the decoder: per group and code rate, in the closed loop.

A prior follows from the states before, and these from what was received: random codewords have no past. So sequences
are sent with one code rate for all groups, and the wrong tokens of the twin's state are counted by group.
"""

from itertools import product

import numpy as np

from tokenlink.control import ControlConfig, StaticPolicy
from tokenlink.link.modes import MAX_BUDGET, parse_mode_table
from tokenlink.prepare.offline_settings import UNTUNED
from tokenlink.prepare.scenes import make_scenes, play


def told_error_rates(sequences, raw_table, code_rates, models, settings, progress=lambda done, total: None):
    """Wrong tokens of the twin's state by group and code rate.

    Parameters
    ----------
    sequences : list of Sequence   labelled
    raw_table : dict               mode table as in YAML; its modes do not matter
    code_rates : sequence of Fraction
    models : BatchModels           with a predictor
    settings : ToldSettings
    progress : callable            called with (slots done, slots in all)

    Returns
    -------
    dict   "error_rates" [n_groups][n_rates], averaged over channels and Es/N0; "channel_uses" [n_groups][n_rates];
           "by_condition": {"<channel> <Es/N0>": as "error_rates"}
    """
    table = parse_mode_table(raw_table | {"modes": _modes(raw_table, code_rates)})
    done, total = [0], settings.scenes.scenes * settings.scenes.slots

    def tick():
        done[0] += 1
        progress(done[0], total)

    scenes = make_scenes(sequences, table, models, settings.scenes)
    policies = [StaticPolicy(ControlConfig(med_mode=mode.mode_id)) for mode in table.modes]
    rates = wrong_by_group(scenes, play(scenes, policies, tick, settings.prior), table, settings.warm_up)
    conditions = product(settings.scenes.mix.channels, settings.scenes.mix.esn0_db)
    return {
        "error_rates": rates.mean(axis=0).T.tolist(),
        "channel_uses": np.array([table.group_uses(mode) for mode in table.modes]).T.tolist(),
        "by_condition": {f"{channel} {esn0_db:g}": rate.T.tolist()
                         for (channel, esn0_db), rate in zip(conditions, rates, strict=True)},
    }  # fmt: skip


def wrong_by_group(scenes, played, table, warm_up):
    """Share of wrong tokens in the twin's state, float64 [n_conditions, n_policies, n_groups].

    Parameters
    ----------
    scenes : list of Scene
    played : list            of `scenes.play`
    table : ModeTable
    warm_up : int            slots at the beginning of each scene that only set the state; the last always counts
    """
    wrong, counted = 0.0, 0
    for scene, by_policy in zip(scenes, played, strict=True):
        first = min(warm_up, len(scene.labels) - 1)
        sent = scene.simulator.token_ids[first:]
        missed = np.array([[(scene.simulator.states_of(trace)[first:] != sent).sum(axis=0) for trace in traces]
                           for traces in by_policy])  # [n_policies, n_conditions, n_tokens]
        by_group = [missed[..., at].mean(axis=-1) for at in table.group_positions]
        wrong = wrong + np.stack(by_group, axis=-1).swapaxes(0, 1)
        counted += len(sent)
    return wrong / counted


def _modes(raw_table, code_rates):
    """A mode for each code rate, all groups alike."""
    n_groups = 1 + max(int(digit) for row in raw_table["group_map"] for digit in row)
    return [{"name": str(rate), "budget": MAX_BUDGET, "code_rates": [str(rate)] * n_groups,
             "thresholds": [UNTUNED] * n_groups} for rate in code_rates]
