"""The SQLite file of swipes, damaged byte by byte and row by row."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mlrec.serving.stores.interface import Draft
from mlrec.serving.stores.sqlite import SqliteStore
from tests.fuzz.attack import Case, Fuzz, command
from tests.fuzz.damage import ANY_FILE, TEXT_FILE, damaged
from tests.fuzz.swiping import KNOWN, STRANGER, Acknowledged, ask, ask_commands, fill, is_told

LIMIT = 15
ODD_VALUES = (
    "NULL",
    "-1",
    "0",
    "1",
    "7",
    "'x'",
    "''",
    "x'ff00'",
    "9223372036854775807",
    "1.5",
    "1e300",
    "CAST(x'ff' AS TEXT)",
)


@pytest.fixture(scope="session")
def filled(tmp_path_factory) -> tuple[dict[str, bytes], list[Acknowledged]]:
    """The files of a store with swipes, as they lie while it is in use, and what was acknowledged."""
    path = tmp_path_factory.mktemp("store") / "users.db"
    with closing(SqliteStore(path)) as store:
        acknowledged = fill(store)
        with closing(SqliteStore(path)) as reader:  # so that a write-ahead log is left
            reader.head(KNOWN)
            store.append(KNOWN, Draft(7, 1, 1_000_003_000))
            acknowledged.append(Acknowledged(KNOWN, store.events(KNOWN)[-1]))
            content = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}
    assert content["-wal"]
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content["alone"] = path.read_bytes()
    return content, acknowledged


def lay(path: Path, content: dict[str, bytes]) -> None:
    """Put a store's files in the place of the last one's. The file stays the same: mlrec holds each that it has seen
    open for as long as it runs.
    """
    for name in ("", "-wal", "-shm"):
        if name in content:
            Path(f"{path}{name}").write_bytes(content[name])
        else:
            Path(f"{path}{name}").unlink(missing_ok=True)


def open_files(path: Path) -> list[str]:
    """What this process holds open of a store's log and its index, where the system tells."""
    names = []
    for entry in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # the one that lists them
            names.append(str(entry.readlink()))
    return [name for name in names if name.startswith((f"{path}-wal", f"{path}-shm"))]


def test_a_damaged_file_of_swipes_is_told(fuzz: Fuzz, copied, filled, tmp_path):
    workspace = copied(tmp_path)

    def attack(case: Case) -> None:
        files = (
            {"": filled[0]["alone"]} if case.chance.random() < 0.6 else {name: filled[0][name] for name in ("", "-wal")}
        )
        name = case.chance.choice(sorted(files))
        files[name], what = damaged(case.chance, files[name], case.chance.choice((ANY_FILE, TEXT_FILE)))
        case.note(f"users.db{name}: {what}")
        lay(workspace.users_db, files)
        ask(case, workspace, "users.db")
        assert not open_files(workspace.users_db), "what was closed is still open"
        if case.chance.random() < 0.3:
            ask_commands(case, workspace, "users.db")

    fuzz.run(70, attack, seconds=LIMIT)


def harm_rows(case: Case, database: sqlite3.Connection) -> str:
    """Change what the tables hold, as a repair by hand, `.recover` or another program may; returns the statement."""
    chance = case.chance
    user = chance.choice((KNOWN, STRANGER))
    table, columns = chance.choice(
        (
            ("users", ("user_id", "last_event_id", "token", "forgotten_at")),
            ("events", ("user_id", "event_id", "movie_id", "preference", "at", "undoes", "client_id", "token")),
            ("vectors", ("stamp", "vector")),
        )
    )
    where = f"user_id = {user}" + (f" AND event_id = {chance.randint(1, 25)}" if table == "events" else "")
    column, value = chance.choice(columns), chance.choice(ODD_VALUES)
    statements = (
        f"UPDATE OR REPLACE {table} SET {column} = {value} WHERE {where}",
        f"UPDATE OR REPLACE {table} SET {column} = {value} WHERE {where}",
        f"UPDATE OR REPLACE {table} SET {column} = {value}",
        f"UPDATE OR REPLACE {table} SET {column} = {column} + 1 WHERE {where}",
        f"DELETE FROM {table} WHERE user_id = {user}",
        f"DELETE FROM {table} WHERE {where}",
        f"DELETE FROM {table}",
        f"DROP TABLE {table}",
        f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
        f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END",
        "DROP INDEX events_by_client_id",
        f"PRAGMA user_version = {chance.choice((0, 2, 99, -1))}",
        f"PRAGMA application_id = {chance.choice((0, 1))}",
        "CREATE TABLE other (x)",
    )
    return chance.choice(statements)


def test_rows_that_do_not_fit_each_other_are_told(fuzz: Fuzz, copied, filled, tmp_path):
    workspace = copied(tmp_path)

    def attack(case: Case) -> None:
        lay(workspace.users_db, {"": filled[0]["alone"]})
        with closing(sqlite3.connect(workspace.users_db, isolation_level=None)) as database:
            database.execute("PRAGMA ignore_check_constraints = ON")
            statement = harm_rows(case, database)
            case.note(statement)
            try:
                database.execute(statement)
            except sqlite3.IntegrityError:
                return
        ask(case, workspace, "users.db")
        assert not open_files(workspace.users_db), "what was closed is still open"
        if case.chance.random() < 0.3:
            ask_commands(case, workspace, "users.db")

    fuzz.run(70, attack, seconds=LIMIT)


LOSSES = (
    "DELETE FROM users WHERE user_id = {user}",
    "UPDATE users SET last_event_id = last_event_id + 3 WHERE user_id = {user}",
    "UPDATE users SET last_event_id = last_event_id - 1 WHERE user_id = {user}",
    "UPDATE users SET token = token + 1 WHERE user_id = {user}",
    "UPDATE users SET last_event_id = 0, token = 0 WHERE user_id = {user}",
    "DELETE FROM events WHERE user_id = {user}",
    "DELETE FROM events WHERE user_id = {user} AND event_id >= 20",
    "DELETE FROM events WHERE user_id = {user} AND event_id BETWEEN 7 AND 9",
    "DELETE FROM users",
    "DELETE FROM events",
    "DELETE FROM events WHERE event_id > 10",
)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_log_that_does_not_fit_its_user_is_told_and_nothing_hangs(fuzz: Fuzz, copied, filled, tmp_path, loss):
    """As after `.recover`, which saves what it can: a user's row and the user's log disagree."""
    workspace = copied(tmp_path)

    def attack(case: Case) -> None:
        lay(workspace.users_db, {"": filled[0]["alone"]})
        statement = loss.format(user=case.chance.choice((KNOWN, STRANGER)))
        case.note(statement)
        with closing(sqlite3.connect(workspace.users_db, isolation_level=None)) as database:
            database.execute(statement)
        with closing(SqliteStore(workspace.users_db)) as store:
            assert is_told(store), "check finds nothing to say"
        assert command("doctor", data=workspace.root).code == 4, "doctor is content"
        ask(case, workspace, "users.db", forgotten_is_known=loss != "DELETE FROM users")

    fuzz.run(2, attack, seconds=LIMIT)
