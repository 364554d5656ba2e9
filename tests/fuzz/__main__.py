"""The long run of the attacks: round after round, each with its own seed, until a fault is found or time is up.

python -m tests.fuzz [--minutes 10] [--seed TEXT] [PYTEST ARGUMENTS]
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

_SCALE = 6


def main() -> int:
    """Run the rounds; the exit code is that of pytest in the last."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=10, help="begin no round after so many minutes")
    parser.add_argument("--seed", default="", help="seed of the first round; drawn at random by default")
    options, more = parser.parse_known_args()
    seed = options.seed or secrets.token_hex(4)
    until = time.monotonic() + 60 * options.minutes
    number = 1
    while True:
        own = seed if number == 1 else f"{seed}.{number}"
        print(f"Round {number}, seed {own}", flush=True)
        environment = os.environ | {"MLREC_FUZZ_SEED": own, "MLREC_FUZZ_SCALE": str(_SCALE)}
        command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "auto", "--maxprocesses", "4"]
        command += ["--dist", "loadfile", str(Path(__file__).parent), "-o", "faulthandler_timeout=0", *more]
        code = subprocess.run(command, env=environment).returncode
        if code:
            print(f"Round {number} has found something: seed {own}. Each fault above says how to run it again.")
            return code
        if time.monotonic() >= until:
            print(f"Nothing came up in {number} rounds.")
            return 0
        number += 1


if __name__ == "__main__":
    sys.exit(main())
