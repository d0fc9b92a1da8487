# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the adaptive system's networks and of the ways their pairs are trained, and of the artifacts they make."""

#: networks that are compared -> artifact of the robust training
NETWORKS = {"adaptive": "adaptive", "vit-ae": "adaptive_vit_ae", "mnv3": "adaptive_mnv3",
            "mnv3-cnn": "adaptive_mnv3_cnn"}  # fmt: skip
#: pairs trained with noise and fading, or without -> what the artifact's name ends with
TRAININGS = {"robust": "", "noiseless": "_noiseless"}


def artifact_of(network: str, training: str) -> str:
    """Name of an artifact; ValueError for a network or a training that there is none of."""
    if network not in NETWORKS:
        raise ValueError(f"network is {network!r}, expected one of {', '.join(NETWORKS)}")
    if training not in TRAININGS:
        raise ValueError(f"training is {training!r}, expected one of {', '.join(TRAININGS)}")
    return NETWORKS[network] + TRAININGS[training]
