# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare system in a folder: made by debootstrap, entered by chroot in namespaces of its own, as a user with sudo."""

import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

USER, HOME, PROJECT = "user", "home/user", "home/user/gr-twist"
BARE = "git,sudo,ca-certificates"  # what README asks for, a way to become root, and https for pip
KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
#: debootstrap's scripts that fit all suites of today, its own list ends with what was new when it was packaged
SCRIPTS = {True: "gutsy", False: "sid"}
#: mounts, then the command in the root; the namespaces end with it, and so does all that it started. This shell stays,
#: as process 1 for orphans, and as the one that dies with unshare: who becomes a user would no longer
ENTER = """
set -e
mount -t proc proc {root}/proc
mount -t tmpfs tmpfs {root}/dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts {root}/dev/pts
mount --bind {root}/dev/pts/ptmx {root}/dev/ptmx
{more}
chroot {user} {root} /usr/bin/env -i {variables} /bin/bash -c {command}
exit $?
"""


def _as_from_a_terminal():
    """Signals as a user's shell leaves them: a job of a script ignores an interrupt, one under nohup a hangup."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Root:
    """The root of one distribution.

    Parameters
    ----------
    distribution : Distribution
    folder : Path             holds all roots, what they share, and their results
    variables : dict          environment of the user, besides the usual
    copied : list of (str, str)   files of this machine and where they go in the root
    """

    def __init__(self, distribution, folder, variables=(), copied=()):
        self.distribution, self.path = distribution, folder / distribution.folder
        self.downloads, self.wheels = folder / "downloads" / distribution.folder, folder / "wheels"
        self.results = folder / "results" / distribution.folder
        self.variables, self.copied = dict(variables), list(copied)
        for each in (self.downloads, self.wheels, self.results):
            each.mkdir(parents=True, exist_ok=True)

    def build(self):
        """Make the root, unless it is there; subprocess.CalledProcessError where that fails."""
        ready = self.path / ".ready"
        if not ready.exists():
            shutil.rmtree(self.path, ignore_errors=True)
            self._bootstrap()
            self._furnish()
            ready.touch()
        for source, target in [("/etc/resolv.conf", "etc/resolv.conf"), *self.copied]:
            at = self.path / target.lstrip("/")
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, at)

    def _bootstrap(self):
        kind = self.distribution
        options = ["--variant=minbase", f"--include={BARE}", f"--cache-dir={self.downloads}"]
        options += [f"--components={'main,universe' if kind.is_ubuntu else 'main'}"]
        if kind.is_ubuntu:
            if not KEYRING.exists():
                raise FileNotFoundError(f"{KEYRING}: install ubuntu-archive-keyring (Debian 13 has it)")
            options.append(f"--keyring={KEYRING}")
        with (self.results / "build.log").open("w") as log:
            subprocess.run(["debootstrap", *options, kind.suite, str(self.path), kind.mirror, SCRIPTS[kind.is_ubuntu]],
                           check=True, stdout=log, stderr=log)

    def _furnish(self):
        """Package sources as on a machine that is kept up to date, and a user who may become root."""
        (self.path / "etc/apt/sources.list").write_text(self.distribution.sources)
        (self.path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # no services start in here
        (self.path / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        (self.path / "etc/hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()}\n::1 localhost\n")
        setup = (f"useradd --create-home --shell /bin/bash {USER} && echo '{USER} ALL=(ALL) NOPASSWD: ALL' "
                 f">/etc/sudoers.d/{USER} && apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y -q")
        if self.run(setup, "build", as_user=False)[0]:
            raise RuntimeError(f"{self.distribution.name}: see {self.results / 'build.log'}")

    def bring(self, repository):
        """A clean clone of what is committed there, in the user's home; packages set up before stay."""
        project, kept = self.path / PROJECT, self.path / HOME / "kept"
        if (project / ".venv").exists():
            (project / ".venv").rename(kept)
        shutil.rmtree(project, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(repository), str(project)], check=True)
        if kept.exists():
            kept.rename(project / ".venv")
        self.run(f"chown -R {USER}: /{HOME}", "build", as_user=False)

    def run(self, command, step, as_user=True, network=True, timeout_s=3600, nice=5):
        """Run a shell command in the project's folder there; what it prints is appended to the step's log.

        Returns
        -------
        (int, float)   exit code, 124 where it took too long, and seconds
        """
        variables = {"HOME": f"/{HOME}" if as_user else "/root", "LANG": "C.UTF-8", "TERM": "dumb", "COLUMNS": "150",
                     "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} | self.variables
        folder = f"/{PROJECT}" if as_user and (self.path / PROJECT).exists() else "/"
        inside = f"cd {folder} && {command}"
        text = ENTER.format(root=shlex.quote(str(self.path)), more=self._shared_folders(network),
                            user=f"--userspec={USER}:{USER}" if as_user else "",
                            variables=" ".join(shlex.quote(f"{k}={v}") for k, v in variables.items()),
                            command=shlex.quote(inside))
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        started = time.monotonic()
        with (self.results / f"{step}.log").open("a") as log:
            log.write(f"$ {command}\n")
            log.flush()
            try:
                done = subprocess.run(["nice", "-n", str(nice), *alone, "bash", "-c", text], stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, timeout=timeout_s, check=False,
                                      start_new_session=True, preexec_fn=_as_from_a_terminal)
                code = done.returncode
            except subprocess.TimeoutExpired:
                code = 124
        return code, time.monotonic() - started

    def _shared_folders(self, network):
        """Lines that mount what roots share: packages that were fetched; without network, loopback alone."""
        archives, wheels = self.path / "var/cache/apt/archives", self.path / HOME / ".cache/pip"
        lines = [] if network else ["ip link set lo up"]
        if (self.path / HOME).exists():
            wheels.mkdir(parents=True, exist_ok=True)
            for source, target in ((self.downloads, archives), (self.wheels, wheels)):
                lines.append(f"mount --bind {shlex.quote(str(source))} {shlex.quote(str(target))}")
            subprocess.run(["chown", "-R", "1000:1000", str(self.wheels), str(self.path / HOME / ".cache")], check=True)
        return "\n".join(lines)
