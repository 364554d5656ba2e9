"""Commands with random options and values: each ends with a documented exit code, and leaves nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import typer

from mlrec.artifacts import registry
from mlrec.cli.app import app
from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, Fuzz, command
from tests.fuzz.damage import NUMBERS
from tests.processes import services_end_at_once

SECRET = "s3cr3t"
STORES = (
    "memory", "", ".", "..", "users.db", "new/users.db", "users.db/x", "/dev/null", "/dev/full", "raw",
    "models/CURRENT", "redis:", "redis://", "redis://127.0.0.1:1/0", "redis://127.0.0.1:1/abc", "/proc/abc", "redis://[::1/0",
    "redis://::1:x/0", "redis://127.0.0.1:99999/0", "redis://127.0.0.1:1/0?decode_responses=True",
    "redis://127.0.0.1:1/0?zzz=1",
    "redis://127.0.0.1:1/0?socket_timeout=x", "redis://127.0.0.1:1/0?protocol=9", "REDIS://127.0.0.1:1/0",
    "valkey://127.0.0.1:1/0", "rediss://127.0.0.1:1/0?ssl_cert_reqs=x", "unix:///nowhere/redis.sock", "unix://",
    "unix:x",
    f"redis://:{SECRET}@127.0.0.1:1/0", f"redis://me:{SECRET}@127.0.0.1:1/0", f"redis://me:{SECRET}/x@127.0.0.1:1/0",
    f"redis://me:x#{SECRET}@127.0.0.1:1/0", f"Redis://me:{SECRET}@127.0.0.1:1/0", f"redis:/me:{SECRET}@127.0.0.1:1/0",
    f"redis:me:{SECRET}@127.0.0.1:1/0", f"redis://127.0.0.1:1/0?password={SECRET}", f"redis://me:{SECRET}@[::1/0",
    f"redis//me:{SECRET}@127.0.0.1:1/0", f"postgres://me:{SECRET}@127.0.0.1:1/x", f"redis://me:{SECRET}@127.0.0.1:x/0",
)  # fmt: skip
TEXTS = (
    "", " ", "x", "matrix", "toy story", "1", "0", "-1", "99999999999999999999", "é", "七人の侍", "\udcff", "\x1b[2J",
    "\u202e", "a" * 5000, "--", "-", "%s", "{}", "[/bold]", "[red]", "'; DROP TABLE users; --", "*", "../..", "\n",
    "superlike", "+2", "Drama", "1990-1999", "1999-1990", "1990-", "-1990", "spark.x=1", "=", "2026-01-01", "NaN",
    "main", "true",
)  # fmt: skip
# Options whose large values only take the time that they ask for.
PATIENCE = {"iterations", "trials", "resamples", "factors", "minutes"}
OUTPUTS = {"out", "output", "report", "csv", "rejects"}
# What starts a machinery of its own, and is attacked elsewhere; what goes on for as long as it likes.
SLOW = {"tune": 4, "evaluate": 8, "train": 8, "run": 6, "serve": 8}
ALWAYS = {"tune": ("--trials", "1"), "fetch": ("--from", "nowhere")}


def leaves(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words."""
    for name, child in group.commands.items():
        if hasattr(child, "commands"):
            yield from leaves(child, (*words, name))
            if child.invoke_without_command:
                yield (*words, name), child
        else:
            yield (*words, name), child


COMMANDS = dict(leaves(typer.main.get_command(app)))


def a_path(chance: Random, data: Path, *, is_output: bool = False) -> str:
    inside = chance.choice(
        ("raw", "raw/ratings.csv", "prepared/manifest.json", "models", "users.db", "new", "new/new",
         "settings.json", "out.csv", "out.parquet", "out.html", "out.CSV", "é", "a?b.csv", "a\nb.csv", "\udcff.csv")
    )  # fmt: skip
    # Outside the case's own folder, only what nobody can make files in, not even root.
    others = ["", ".", "/proc", "-", "/dev/null", "/proc/nowhere/at/all", "x" * 300, "~"]
    others += ["/dev/full", "/proc/self/mem"] * is_output  # what never ends is no input
    return str(data / inside) if chance.random() < 0.7 else chance.choice(others)


def kind_of(hint: Any) -> Any:
    """The plain type of a parameter: int of `list[int] | None`, float of `tuple[float, float]`; a Literal is one."""
    if get_origin(hint) is Literal:
        return hint
    inner = [argument for argument in get_args(hint) if argument not in (type(None), ...)]
    return kind_of(inner[0]) if inner else hint


def a_value(chance: Random, name: str, kind: Any, data: Path, model_ids: list[str]) -> str:
    """A value for a parameter: often of its kind, now and then of any."""
    if name == "store":
        return chance.choice(STORES)
    if name in ("model", "model_id", "first", "second") and chance.random() < 0.6:
        return chance.choice(model_ids)
    if name == "engine":
        return chance.choice(("duckdb", "duckdb", "flink"))
    if chance.random() < 0.1:
        kind = chance.choice((str, int, Path))
    if get_origin(kind) is Literal:
        return chance.choice((*get_args(kind), "x"))
    if issubclass(kind, int | float):
        few = ("1", "2", "3", "5", "0", "0.1", "10")
        return chance.choice(few if name in PATIENCE or chance.random() < 0.5 else NUMBERS)
    return a_path(chance, data, is_output=name in OUTPUTS) if issubclass(kind, Path) else chance.choice(TEXTS)


def some_arguments(chance: Random, words: tuple[str, ...], data: Path, model_ids: list[str]) -> list[str]:
    """Options and arguments of a command; those that it needs are mostly there."""
    options: list[str] = []
    arguments: list[str] = []
    density = chance.choice((0.05, 0.15, 0.3))
    hints = get_type_hints(COMMANDS[words].callback)
    for parameter in COMMANDS[words].params:
        if parameter.name not in hints or parameter.name == "data_dir":
            continue
        if chance.random() >= (0.9 if parameter.required else density):
            continue
        for _ in range(chance.choice((1, 1, 2)) if getattr(parameter, "multiple", False) else 1):
            values = [
                a_value(chance, parameter.name, kind_of(hints[parameter.name]), data, model_ids)
                for _ in range(max(parameter.nargs, 1))
            ]
            if parameter.param_type_name == "argument":
                arguments += values
            elif parameter.is_flag:
                options.append(chance.choice([*parameter.opts, *parameter.secondary_opts]))
            else:
                options += [chance.choice(parameter.opts), *values]
    options += ALWAYS.get(words[0], ())
    if chance.random() < 0.02:
        options.append(chance.choice(("--nonsense", "--help", "-h", "--json", "--version", "-x", "--")))
    return [*options, *arguments] if chance.random() < 0.5 else [*arguments, *options]


def lines(chance: Random) -> bytes:
    """What is typed into a session of swipes."""
    words = (
        "like",
        "dislike",
        "skip",
        "undo",
        "why",
        "help",
        "superlike",
        "?",
        "+1",
        "-2",
        "",
        "nonsense",
        "quit",
        "\0",
        "é",
    )
    typed = "\n".join(chance.choices(words, k=chance.randrange(6))).encode()
    return typed + chance.choice((b"\n", b"", b"", b"\xff\n"))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_with_any_arguments_ends_as_documented(fuzz: Fuzz, copied, monkeypatch, words):
    def attack(case: Case) -> None:
        workspace: Workspace = copied(case.folder)
        monkeypatch.chdir(case.folder)
        monkeypatch.setenv("MLREC_MIRROR", str(case.folder / "nowhere"))
        ids = registry.list_ids(workspace)
        arguments = some_arguments(case.chance, words, workspace.root, ids)
        encoding = case.chance.choice(("utf-8", "utf-8", "utf-8", "ascii", "latin-1"))
        data = workspace.root if case.chance.random() < 0.95 else Path(a_path(case.chance, workspace.root))
        case.note(f"mlrec {' '.join(map(repr, (*words, *arguments)))} ({encoding}, {data.name})")
        with services_end_at_once():
            done = command(*words, *arguments, data=data, typed=lines(case.chance), encoding=encoding)
        assert SECRET not in done.out + done.err, "a password is shown"
        assert registry.published_id(workspace) in registry.list_ids(workspace)
        assert not leftovers(case.folder), "work is left half done"

    fuzz.run(SLOW.get(words[0], 15), attack, seconds=30)


def leftovers(folder: Path) -> list[Path]:
    """What only a killed process may leave."""
    return [
        path
        for path in folder.rglob(".*")
        if path.name.endswith((".tmp", ".new", ".part")) or path.name in (".scratch", ".incoming")
    ]
