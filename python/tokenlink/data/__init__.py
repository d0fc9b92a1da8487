# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent: road scenes from KITTI, drawn or invented, with labels of their traffic state; Imagenette."""
