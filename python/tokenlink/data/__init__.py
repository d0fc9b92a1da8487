# SPDX-License-Identifier: GPL-3.0-or-later
"""Road scenes: KITTI loaders, rendered streets, and the traffic-state labels of both."""
