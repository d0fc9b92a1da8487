# SPDX-License-Identifier: GPL-3.0-or-later
"""Training, a folder for each system: one resumable command for each network."""
