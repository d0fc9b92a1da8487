# SPDX-License-Identifier: GPL-3.0-or-later
"""The public face of a package: names of its files, imported when they are asked for.

So a script needs one import a package, and a program that uses one file does not pay for the others.
"""

from importlib import import_module


def face(package, homes):
    """What a package defines to have a face.

    Parameters
    ----------
    package : str   its ``__name__``
    homes : dict    file, as dotted name below the package -> names it gives; a file without names is itself one

    Returns
    -------
    (__getattr__, __dir__, __all__)
    """
    home_of = {name: home for home, names in homes.items() for name in names or (home,)}

    def get(name):
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{home_of[name]}")
        return module if name == home_of[name] else getattr(module, name)

    names = sorted(home_of)
    return get, lambda: names, names
