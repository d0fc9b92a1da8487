# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes that systems name, each a module that is started as a process."""

NODES = {
    "camera": "tokenlink.loop.camera",
    "twin": "tokenlink.loop.twin",
    "picture_camera": "tokenlink.loop.picture_camera",
    "picture_twin": "tokenlink.loop.picture_twin",
    "text_camera": "tokenlink.loop.text_camera",
    "text_twin": "tokenlink.loop.text_twin",
    "simulator": "tokenlink.loop.simulated_radio",
}
