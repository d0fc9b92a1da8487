# SPDX-License-Identifier: GPL-3.0-or-later
"""Streets drawn by Panda3D's software renderer: models, surroundings, stage and sequences."""
