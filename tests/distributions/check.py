# SPDX-License-Identifier: GPL-3.0-or-later
"""Try the project on bare systems, as a user would: ``sudo python3 tests/distributions/check.py FOLDER``.

Each distribution gets a root in FOLDER by debootstrap (and unshare, chroot, ip), a clean clone of what is committed,
then ``./twist doctor``, which sets everything up, and without network ``./twist demo``, starts and stops of a
flowgraph, and ``./twist test``. Logs, records and versions stay in FOLDER/results; the table goes into README.md.
6 GB and half an hour each, more where no CPU build of torch can be reached.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from distributions import DISTRIBUTIONS
from root import PROJECT, Root

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 200
#: what GNU Radio has a part in: most of what differs between distributions, in a third of the time
RADIO_TESTS = "gr-twist/python tests/integration tests/conformance/test_grc.py tests/conformance/test_install.py"
STEPS = {
    "doctor": "./twist doctor --json doctor.json",
    "demo": "./twist demo",
    "starts": f".venv/bin/python tests/integration/start_stop.py {ROUNDS}",
    "radio": f"./twist test {RADIO_TESTS}",
    "test": "./twist test",
}
PACKAGES = {"gnuradio": "GNU Radio", "uhd-host": "UHD", "python3-numpy": "numpy", "python3": "Python"}
BEGIN, END = "<!-- distributions: written by tests/distributions/check.py -->", "<!-- end -->"


def check(root, steps):
    """Carry out the steps, adding what came to the results; returns the results, dict of step -> outcome."""
    file = root.results / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    commit = commit_of(REPOSITORY)
    for step in steps:
        (root.results / f"{step}.log").unlink(missing_ok=True)
        code, seconds = root.run(STEPS[step], step, network=step == "doctor")
        text = (root.results / f"{step}.log").read_text(errors="replace")
        results[step] = {"code": code, "seconds": round(seconds), "says": last_words(step, text), "commit": commit}
        results["versions"] = versions(root)
        file.write_text(json.dumps(results, indent=2) + "\n")
        says = results[step]["says"]
        print(f"{root.distribution.name}: {step}: exit code {code}, {seconds:.0f} s, {says}", flush=True)
        keep_records(root, step)
        if code and step == "doctor":
            break
    return results


def last_words(step, text):
    """What a step says of itself: the count of tests, or its last line."""
    counts = re.findall(r"(?:\d+ (?:passed|failed|skipped|errors?|xfailed|warnings?)(?:, )?)+", text)
    if step in ("radio", "test"):
        return counts[-1].rstrip(", ") if counts else "not finished"
    lines = [line.strip() for line in text.splitlines() if re.search(r"\w", line) and line[0] not in "│┃"]
    return lines[-1]


def commit_of(repository):
    """Short name of the commit that is tried."""
    command = ["git", "-C", str(repository), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions(root):
    """Upstream versions of what the distribution brings."""
    query = ["chroot", str(root.path), "dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n", *PACKAGES]
    found = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    lines = dict(line.split() for line in found.splitlines() if " " in line)
    number = r"(?:\d+:)?(\d+(?:\.\d+)*)"
    return {name: re.match(number, lines[package])[1] for package, name in PACKAGES.items() if package in lines}


def keep_records(root, step):
    """Copy the newest run of the demo to the results, for compare.py."""
    runs = sorted((root.path / PROJECT / "runs").glob("*-demo")) if step == "demo" else []
    if runs:
        shutil.rmtree(root.results / "demo", ignore_errors=True)
        shutil.copytree(runs[-1], root.results / "demo")


def result_of(results):
    """One cell: what was tried and how it went."""
    words = []
    for step, label in (("doctor", "doctor"), ("demo", "demo"), ("starts", f"{ROUNDS} starts and stops")):
        if step in results:
            words.append(label if results[step]["code"] == 0 else f"**{label} fails**")
    for step, label in (("test", "all tests"), ("radio", "tests with GNU Radio")):
        if step in results:
            says = results[step]["says"]
            words.append(f"{label}: {says}" if results[step]["code"] == 0 else f"**{label}: {says}**")
            break
    return ", ".join(words)


def table(folder):
    """The table of all distributions that have results."""
    lines = ["| system | Python | GNU Radio | UHD | numpy | what works | commit |", "|---|---|---|---|---|---|---|"]
    for each in DISTRIBUTIONS:
        file = folder / "results" / each.folder / "results.json"
        if file.exists():
            results = json.loads(file.read_text())
            found = [results["versions"].get(name, "") for name in ("Python", "GNU Radio", "UHD", "numpy")]
            commits = dict.fromkeys(results[step]["commit"] for step in STEPS if step in results)
            lines.append(f"| {' | '.join([each.name, *found, result_of(results), ', '.join(commits)])} |")
    return "\n".join(lines) + "\n"


def write_table(folder, readme=REPOSITORY / "README.md"):
    """Put the table where README has its place."""
    before, _, rest = readme.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{readme} has no place for the table: {BEGIN} ... {END}")
    readme.write_text(f"{before}{BEGIN}\n\n{table(folder)}\n{END}{after}")


def pair(text):
    """The two sides of an option NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def read_options():
    """Options of the command line."""
    names = [each.folder for each in DISTRIBUTIONS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where roots, downloads and results are")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    default = [step for step in STEPS if step != "radio"]
    parser.add_argument("--steps", nargs="*", choices=list(STEPS), default=default, help="radio: a part of test")
    parser.add_argument("--set", nargs="+", type=pair, default=[], metavar="NAME=VALUE", help="environment there")
    parser.add_argument("--copy", nargs="+", type=pair, default=[], metavar="FILE=TARGET",
                        help="files of this machine that the roots need, as for a proxy")
    return parser.parse_args()


def main():
    """Build, try, tell; exit code 1 where a step failed."""
    options, failed = read_options(), False
    folder = options.folder.resolve()
    for each in DISTRIBUTIONS:
        if each.folder in options.only and options.steps:
            root = Root(each, folder, options.set, options.copy)
            root.build()
            root.bring(REPOSITORY)
            results = check(root, options.steps)
            failed |= any(results[step]["code"] for step in options.steps if step in results)
    write_table(folder)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
