# SPDX-License-Identifier: GPL-3.0-or-later
"""What is looked at before a command begins: files it will write, numbers in their range, options that mean nothing."""

import math

import click
import typer


def writable_file(param: typer.CallbackParam, value):
    """Callback of an option that names a file to write."""
    return _checked("check_file", param, value)


def writable_new_file(param: typer.CallbackParam, value):
    """Callback of an option that names a file to write, whose folder the command makes."""
    if value is not None and not value.parent.is_dir():
        _checked("check_folder", param, value.parent)
        return value
    return _checked("check_file", param, value)


def writable_folder(param: typer.CallbackParam, value):
    """Callback of an option that names a folder to write to."""
    return _checked("check_folder", param, value)


def _checked(check, param, value):
    if value is not None:
        from tokenlink.files import outputs

        getattr(outputs, check)(value, param.opts[0])
    return value


def at_least_one(param: typer.CallbackParam, value):
    """Callback of an option that counts something there must be one of."""
    if value is not None and value < 1:
        raise ValueError(f"{param.opts[0]} is {value}, expected >= 1")
    return value


def not_negative(param: typer.CallbackParam, value):
    """Callback of an option that counts something, or says how long, and may be 0."""
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{param.opts[0]} is {value}, expected >= 0")
    return value


def positive(param: typer.CallbackParam, value):
    """Callback of an option that says how long: a finite number above 0."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ValueError(f"{param.opts[0]} is {value}, expected > 0")
    return value


def given(*names):
    """Those of the running command's parameters that were given on its command line, as they were written."""
    context = click.get_current_context()
    options = {param.name: param.opts[0] for param in context.command.params}
    source = click.core.ParameterSource.COMMANDLINE
    return [options[name] for name in names if context.get_parameter_source(name) is source]


def refuse_of_policy(policy):
    """Refuse what says which mode holds without feedback where the running command's policy has only one mode."""
    if policy.startswith("static-"):
        refuse(f"with --policy {policy}, which has one mode", "hold_slots", "fallback_mode")


def refuse(why, *names):
    """Refuse options that would change nothing.

    Parameters
    ----------
    why : str      what makes them so, such as "with --radio running, whose flowgraph has its own channel"
    names : str    parameters of the running command

    Raises
    ------
    ValueError   one of them was given
    """
    if found := given(*names):
        verb = "has" if len(found) == 1 else "have"
        raise ValueError(f"{' and '.join(found)} {verb} no effect {why}: leave {'it' if verb == 'has' else 'them'} out")
