"""pytest ignores the signals that it is told to ignore; the processes that tests start do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import signal, subprocess, sys
from tests.processes import give_children_default_signals
ignored = [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD]
for number in ignored:
    signal.signal(number, signal.SIG_IGN)
give_children_default_signals()
for number in ignored:
    signal.raise_signal(number)
child = "import os, signal; os.kill(os.getpid(), int(signal.SIGHUP))"
print(subprocess.run([sys.executable, "-c", child]).returncode)
child = f"import signal; print([signal.getsignal(n) == signal.SIG_IGN for n in {[*map(int, ignored)]}])"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout)
"""


def test_children_begin_with_the_default_signals():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:2] == ["-1", str([False] * 5)], done.stderr
