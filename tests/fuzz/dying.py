"""A process that runs one mlrec command and dies at a given step of its work on files, as by kill -9.

python -m tests.fuzz.dying STEP COMMAND…

A step is a file being opened for writing, renamed, removed or created. With STEP 0 the process does not die, and the
last line of stderr is the number of steps.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys

_STEPS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "shutil.rmtree",
    "fcntl.flock",
    "sqlite3.connect",
}


def main() -> None:
    step, *sys.argv[1:] = sys.argv[1:]
    count = 0

    def see(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in _STEPS or writes:
            count += 1
            if count == int(step):
                os.kill(os.getpid(), signal.SIGKILL)

    if step == "0":
        atexit.register(lambda: print(count, file=sys.stderr))
    sys.dont_write_bytecode = True
    sys.addaudithook(see)
    from mlrec.cli import main as run

    run()


if __name__ == "__main__":
    main()
