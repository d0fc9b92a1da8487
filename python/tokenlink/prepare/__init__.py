# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline stage: from models and validation sequences to a mode table and a controller file."""
