"""The driver of the attacks: cases from a seed, a time limit for each, and one report of all faults.

MLREC_FUZZ_SEED    the seed, any text; the same seed gives the same cases (default: 1)
MLREC_FUZZ_SCALE   how many times the number of cases that a test names (default: 0.5, as the seed is always the
                   same there; make fuzz takes 6, and another seed in each round)
MLREC_FUZZ_CASE    the number of the one case to run again
"""

from __future__ import annotations

import faulthandler
import os
import re
import resource
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import TypeVar

import pytest

from mlrec.cli import exit_codes
from mlrec.errors import MlrecError
from tests.command_line import in_this_process

T = TypeVar("T")

SEED = os.environ.get("MLREC_FUZZ_SEED", "1")
SCALE = float(os.environ.get("MLREC_FUZZ_SCALE", "0.5"))
ONLY = os.environ.get("MLREC_FUZZ_CASE")

DOCUMENTED = {exit_codes.DONE, exit_codes.USAGE, exit_codes.INPUT, exit_codes.STATE}
"""Exit codes of whatever is asked of mlrec: all but that of a bug, and nobody interrupts."""

MEMORY = 8 << 30
"""Bytes of address space; libraries with a pool of threads reserve more than they use."""

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor, changes the window, or turns the direction of writing."""


class Hang(BaseException):
    """A case that does not come to an end. No handler of errors may take it for one of its own."""


@dataclass
class Case:
    """One case of an attack.

    Attributes
    ----------
    chance
        Every choice of the case comes from here.
    folder
        A folder of its own.
    notes
        What was done, for the report.
    """

    chance: Random
    folder: Path
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say what is being done."""
        self.notes.append(text)


@dataclass
class Fuzz:
    """Runs the cases of one test, and reports everything that came up, each fault once.

    Parameters
    ----------
    name
        The test, as pytest is told to run it again.
    """

    name: str

    def run(self, cases: int, attack: Callable[[Case], object], *, seconds: float = 60) -> None:
        """Run an attack many times.

        Parameters
        ----------
        cases
            How many times at scale 1.
        attack
            Whatever it raises is a fault.
        seconds
            A case that takes longer is a fault, too.
        """
        numbers = [int(ONLY)] if ONLY is not None else range(max(1, round(cases * SCALE)))
        faults: dict[str, list[str]] = {}
        for number in numbers:
            replay = f"MLREC_FUZZ_SEED={SEED} MLREC_FUZZ_CASE={number} python -m pytest '{self.name}'"
            folder = Path(mkdtemp(prefix="mlrec-fuzz-"))
            case = Case(Random(f"{SEED} {self.name} {number}"), folder)
            try:
                with _limited_memory(), _limited_time(seconds, replay), _nothing_left_open():
                    attack(case)
            except (Exception, Hang) as error:
                stories = faults.setdefault(_place_of(error), [])
                if not stories:
                    case.note(f"its files are kept in {folder}")
                notes = "".join(f"    {note}\n" for note in case.notes)
                stories.append(f"  {replay}\n{notes}{''.join(traceback.format_exception(error)[-8:])}")
                if len(stories) == 1:
                    continue
            shutil.rmtree(folder, ignore_errors=True)
        if faults:
            pytest.fail(_report(faults, len(numbers)), pytrace=False)


def _report(faults: dict[str, list[str]], n_cases: int) -> str:
    total = sum(map(len, faults.values()))
    parts = [f"{total} of {n_cases} cases fail, in {len(faults)} ways:"]
    parts += [f"\n== {len(stories)} x {place}\n{stories[0]}" for place, stories in faults.items()]
    return "\n".join(parts)


def _place_of(error: BaseException) -> str:
    """The kind of an error and the line of mlrec, or of the test, that it went through last."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/mlrec/" in frame.filename] or frames
    first_line = (str(error).splitlines() or [""])[0]
    text = f": {re.sub(r'[0-9]+', '#', first_line)[:160]}" if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} at {'/'.join(Path(ours[-1].filename).parts[-3:])}:{ours[-1].lineno}{text}"


@contextmanager
def _limited_time(seconds: float, replay: str) -> Iterator[None]:
    """Raise `Hang` in a block that takes too long; one that hangs where Python cannot is ended with its process."""

    def ring(*_: object) -> None:
        raise Hang(f"not done after {seconds:g} seconds")

    def end() -> None:
        stderr = sys.__stderr__ or sys.stderr
        print(f"\nA case hangs outside of Python: {replay}", file=stderr, flush=True)
        faulthandler.dump_traceback(file=stderr)
        os._exit(70)

    watchdog = threading.Timer(3 * seconds + 30, end)
    watchdog.daemon = True
    watchdog.start()
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with warnings.catch_warnings():
            # numpy says of an overflow what mlrec says of its consequence; elsewhere in the tests that is an error.
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        watchdog.cancel()


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Let a block that asks for all memory fail, rather than the machine, where the system can."""
    if sys.platform != "linux":
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _nothing_left_open() -> Iterator[None]:
    """Whatever a block leaves to the garbage collector, such as an open file, is a fault of it."""
    left: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda unraisable: left.append(f"{unraisable.exc_value!r} in {unraisable.object!r}")
    try:
        yield
    finally:
        sys.unraisablehook = before
    assert not left, f"left open: {left[0]}"


# -- laws --------------------------------------------------------------------------------------------------------------


def told(call: Callable[[], T]) -> T | MlrecError:
    """What a call gives, or the error by which it says what is wrong; any other error is a fault."""
    try:
        return call()
    except MlrecError as told:
        error = told
    assert error.message, "an error without a word"
    return error


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


def command(
    *arguments: object,
    data: Path | None = None,
    typed: bytes = b"",
    encoding: str = "utf-8",
    expect: set[int] | None = None,
) -> Done:
    """Run mlrec as its entry point does, in this process.

    A traceback is a fault, and so is an exit code that is not in the table, an error without a word, and what would
    steer a terminal that shows the text.
    """
    words = [*map(str, arguments)] + ([] if data is None else ["--data-dir", str(data)])
    done = in_this_process(words, typed=typed, encoding=encoding)
    code, out, err = done.returncode, done.stdout, done.stderr
    assert code in (DOCUMENTED if expect is None else expect), f"exit code {code!r}: {err[-2000:]}"
    assert "Traceback" not in err, err[-3000:]
    if code:
        assert err.strip() or out.strip(), f"exit code {code} without a word"
    texts = err if {"--json", "-"} & set(words) else out + err
    assert not (found := CONTROLS.search(texts)), f"{found[0]!r} reaches the terminal"
    return Done(code, out, err)
