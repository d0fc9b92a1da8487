# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs and studies say to a reader: claims, figures, pages."""
