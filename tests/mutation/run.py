#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many small faults the tests notice: a sample of Cosmic Ray's mutants, one after the other. Not part of CI.

    .venv/bin/pip install --target /tmp/cosmic-ray cosmic-ray==8.7.0
    .venv/bin/python tests/mutation/run.py --cosmic-ray /tmp/cosmic-ray --sites 6 --seed 1 --out mutants.json

Works on a copy of the last commit, so that the working tree stays as it is. Modules come in an order that is drawn; of
each so many places are drawn, and at each place one of its mutants. The tests that belong to the module (modules.yaml)
must notice; with --wider, what lived in an earlier call meets the tests of the whole package. Left out is what changes
no behaviour: annotations, decorators that only make functions fast, and identity in the place of equality.

Cosmic Ray draws up and applies the mutants. Tests do not run by its own command, but in forks of this process, which
has numba, scipy, torch and pytest in memory: most mutants then take a second. And it is processor time that is
limited, not waiting time, so that other work on the machine makes nothing fail.
"""

from __future__ import annotations

import argparse
import ast
import collections
import difflib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = ("numba", "numpy", "pytest", "scipy.optimize", "scipy.signal", "scipy.stats", "torch", "zmq")
FAST_ONLY = ("njit", "lru_cache")
LONGEST_S = 1200  # of the tests without a mutant
FROZEN = "conformance/test_frozen.py"  # last, so that it costs no time where another test fails
SAME = ("Eq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq")


def main():
    """Draw the mutants, test each, write what happened after each, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=6, help="places a module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="such as phy, or phy/crc,link")
    parser.add_argument("--cosmic-ray", type=Path, default=".", help="where it is installed")
    parser.add_argument("--wider", action="store_true", help="run the tests of the whole package")
    parser.add_argument("--again", action="store_true", help="test those again that lived")
    parser.add_argument("--out", type=Path, required=True, help="JSON; mutants that are in it are not tested again")
    options = parser.parse_args()
    sys.path.append(str(options.cosmic_ray))  # behind the project's own packages
    for name in PRELOADED:
        __import__(name)
    found = json.loads(options.out.read_text()) if options.out.exists() else []
    if options.again:
        found = [each for each in found if each["outcome"] != "survived"]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        os.chdir(copy_of_last_commit(Path(folder)))
        plan = list(chosen(options.only.split(","), options.wider))
        random.Random(options.seed).shuffle(plan)  # one that is stopped is a sample of all that was asked for
        for module, tests in plan:
            path = Path(f"python/tokenlink/{module}.py")
            known = {(each["module"], each["operator"], each["occurrence"]) for each in found}
            drawn = draw(path, options.sites, f"{options.seed}/{module}")
            drawn = [m for m in drawn if (module, m.operator_name, m.occurrence) not in known]
            limits = time_without_mutant(tests) if drawn else None
            for mutation in drawn if limits else []:
                found.append({"module": module} | test(mutation, tests, *limits))
                options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


def copy_of_last_commit(folder):
    """The files of the last commit below a folder, and the environment in which their tests run."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    os.environ |= {"PYTHONPATH": str(folder / "python"), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    kernels = Path.home() / ".cache" / "tokenlink" / "kernels"  # each knows the sources that it is made from
    if kernels.is_dir():
        shutil.copytree(kernels, folder / ".cache" / "tokenlink" / "kernels")
    os.environ["XDG_CACHE_HOME"] = str(folder / ".cache")
    sys.path.insert(0, str(folder / "python"))
    return folder


def chosen(only, wider):
    """(module, its tests or those of the package) of modules.yaml, of the packages or modules in `only`."""
    for package, entry in yaml.safe_load((Path(__file__).parent / "modules.yaml").read_text()).items():
        for name, own in entry["modules"].items():
            module = f"{package}/{name}"
            if any(module == each or each in ("", package) for each in only):
                if not Path(f"python/tokenlink/{module}.py").is_file():
                    sys.exit(f"{module} of modules.yaml is not there")
                yield module, [located(path) for path in [*(entry["wider"] if wider else own), FROZEN]]


def located(path):
    return path if path.startswith("gr-twist/") else f"tests/{path}"


def draw(path, sites, seed):
    """MutationSpec of one mutant at each of so many places of a module, drawn by a seed."""
    from cosmic_ray.commands.init import _all_work_items

    source = path.read_text()
    left_out, places = spans_left_out(ast.parse(source)), collections.defaultdict(list)
    for item in _all_work_items([path], {}):
        (mutation,) = item.mutations
        if not mutation.operator_name.endswith(SAME) and not any(a <= mutation.start_pos < b for a, b in left_out):
            places[mutation.start_pos].append(mutation)
    rng = random.Random(seed)
    chosen = rng.sample(sorted(places), min(sites, len(places)))
    return [rng.choice(places[place]) for place in sorted(chosen)]


def spans_left_out(tree):
    """Begin and end of annotations and of decorators that only make functions fast, as (line, column)."""
    nodes = []
    for node in ast.walk(tree):
        nodes += [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for decorator in getattr(node, "decorator_list", ()):
            if any(name in ast.unparse(decorator) for name in FAST_ONLY):
                nodes.append(decorator)
    spans = [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in nodes if n is not None]
    return spans + [((line, column - 1), (line, column)) for (line, column), _ in spans]  # the @ before a decorator


def time_without_mutant(tests):
    """(processor time, time) in s that a mutant may take: ten and four times those of the tests without one; None where
    these do not pass, not even at a second try: then the module is left out."""
    for _ in range(2):
        begin_s = time.monotonic()
        status, used_s = run(tests, LONGEST_S, LONGEST_S)
        if status == 0:
            break
    else:
        print(f"these tests fail without a mutant: {' '.join(tests)}", flush=True)
        return None
    return max(10 * used_s, 20), max(4 * (time.monotonic() - begin_s), 60)


def run(tests, processor_s, longest_s):
    """Run tests in a fork; (exit status, None if it ran out of time; processor time in s)."""
    child = os.fork()
    if not child:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(processor_s), int(processor_s) + 1))
        for number in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        import pytest

        os._exit(int(pytest.main(["-q", "-x", "-p", "no:cacheprovider", *tests])))
    deadline_s = time.monotonic() + longest_s
    while not (ended := os.wait4(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline_s:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
    killed = os.WIFSIGNALED(ended[1]) and os.WTERMSIG(ended[1]) in (signal.SIGXCPU, signal.SIGKILL)
    return None if killed else ended[1], ended[2].ru_utime + ended[2].ru_stime


def test(mutation, tests, *limits):
    """What became of a mutant: dict."""
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    path, operator = Path(mutation.module_path), get_operator(mutation.operator_name)(**mutation.operator_args)
    drop_compiled_importers(path)
    with use_mutation(path, operator, mutation.occurrence) as (before, after):
        status, used_s = run(tests, *limits)
    drop_compiled_importers(path)
    outcome = {None: "timeout", 0: "survived"}.get(status, "killed")
    print(mutation.module_path, *mutation.start_pos, mutation.operator_name, outcome, f"{used_s:.1f} s", flush=True)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return {
        "line": mutation.start_pos[0], "operator": mutation.operator_name, "occurrence": mutation.occurrence,
        "function": mutation.definition_name, "outcome": outcome,
        "diff": [line for line in lines if not line.startswith(("+++", "---", "@@"))],
    }  # fmt: skip


def drop_compiled_importers(path):
    """Remove numba's files of all that imports a module: they hold its functions and values, and do not know it."""
    names, grown = {path.stem}, True
    while grown:
        grown = False
        for other in Path("python/tokenlink").rglob("*.py"):
            if other.stem not in names and names & imported(other):
                names.add(other.stem)
                grown = True
    for name in names:
        for compiled in Path("python").rglob(f"{name}.*.nb[ic]"):
            compiled.unlink()


def imported(path, known={}):  # noqa: B006 (what files import does not change while this runs)
    """Last parts of all names that a file imports of this project."""
    if path not in known:
        known[path] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tokenlink"):
                known[path] |= {node.module.rpartition(".")[2], *(alias.name for alias in node.names)}
    return known[path]


def table(found):
    """Markdown: mutants and how many were noticed, module by module and in all; one that ran out of time was."""
    lines = ["| module | mutants | noticed | lived |", "|---|---|---|---|"]
    modules = sorted({each["module"] for each in found})
    for name, those in [(m, [e for e in found if e["module"] == m]) for m in modules] + [("all", found)]:
        lived = sum(each["outcome"] == "survived" for each in those)
        lines.append(f"| {name} | {len(those)} | {len(those) - lived} | {lived} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
