"""Swipes in damaged CSV files: every line is accounted for, and everything logged is in the file."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from datetime import datetime
from random import Random

from mlrec.errors import MlrecError
from mlrec.serving.interchange import Imported, import_swipes
from mlrec.serving.stores.interface import SwipeStore
from mlrec.serving.stores.memory import MemoryStore
from mlrec.serving.stores.sqlite import SqliteStore
from tests.fuzz.attack import Case, Fuzz, command, told
from tests.fuzz.damage import TEXT_FILE, damaged
from tests.fuzz.plain import lines_of, moment, whole
from tests.fuzz.small import MOVIES

NAMES = {"superdislike": -2, "dislike": -1, "skip": 0, "like": 1, "superlike": 2}
BUCKETS = {1: -2, 2: -1, 3: 1, 4: 2}


def a_log(chance: Random) -> bytes:
    """A file of swipes as mlrec exports it, or as somebody's own program does."""
    if chance.random() < 0.5:
        header = "user_id,event_id,movie_id,title,preference,at,undone,client_id"
        line = '{user},{number},{movie},"Title, The",{preference},{at},{undone},{client}'
    else:
        header, line = chance.choice(
            (
                ("userId,movieId,preference,timestamp", "{user},{movie},{name},{at}"),
                ("at,movie_id,user_id,bucket,comment", "{iso},{movie},{user},{bucket},é"),
                ("user_id,movie_id,preference,at,event_id", "{user},{movie},{preference},{iso},{client}"),
            )
        )
    lines = [header]
    for number in range(chance.randrange(1, 40)):
        at = 1_500_000_000 + chance.randrange(5)
        bucket = chance.randint(1, 4)
        lines.append(
            line.format(
                user=chance.choice((10, 11, 12, 123, 2**62)),
                movie=chance.randint(1, MOVIES),
                number=number + 1,
                preference=chance.randint(-2, 2),
                name=chance.choice([*NAMES, "+1", "-2"]),
                bucket=bucket,
                at=at,
                iso=f"{datetime.fromtimestamp(at).astimezone().isoformat()}",
                undone=chance.choice(("true", "false", "false")),
                client=chance.choice(("", f"c{number}", f"c{number % 3}")),
            )
        )
    return "\n".join([*lines, ""]).encode()


def swipes_in(content: bytes) -> set[tuple[int, int, int, int]]:
    """Every swipe that some line of a file holds: user, movie, preference, time."""
    lines = [line for (line,) in lines_of(content.decode("utf-8-sig", errors="replace")) if "\0" not in line]
    if not lines:
        return set()
    header, *others = ([field.strip() for field in next(csv.reader([line]), [])] for line in lines)
    names = [name.lower().replace("_", "") for name in header]
    found = set()
    for fields in others:
        row = dict(zip(names, fields, strict=False))
        user, movie = whole(row.get("userid", "")), whole(row.get("movieid", ""))
        preference = opinion(row)
        at = seconds(row.get("at", row.get("timestamp", "")))
        if user is not None and movie is not None and preference is not None and at is not None:
            found.add((user, movie, preference, at))
    return found


def opinion(row: dict[str, str]) -> int | None:
    if "bucket" in row:
        return BUCKETS.get(whole(row["bucket"]) or 0)
    text = row.get("preference", "").lower()
    number = NAMES[text] if text in NAMES else whole(text)
    return number if number in range(-2, 3) else None


def seconds(text: str) -> int | None:
    if (number := moment(text)) is not None:
        return number
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(day.timestamp() // 1) if day.tzinfo else None


def accounted(outcome: Imported) -> int:
    return outcome.imported + outcome.already_there + outcome.undone + sum(outcome.rejects.values())


def check(case: Case, store: SwipeStore, content: bytes) -> None:
    """Import a file twice, and hold the log against the file."""

    def load() -> Imported:
        return import_swipes(
            io.BytesIO(content), "swipes.csv", store, case.folder / "rejects.csv", movie_ids=None, max_reject_share=1.0
        )

    outcome = told(load)
    logged = [(user, event) for user in store.user_ids() for event in store.events(user)]
    if isinstance(outcome, MlrecError):
        case.note(outcome.message[:200])
        assert logged == []
        return
    text = content.decode("utf-8-sig")
    lines = [line for line in text.split("\n")[1:] if line.strip()]
    assert accounted(outcome) in (len(lines), len(lines_of(text)) - 1), f"{outcome} of {len(lines)} lines"
    assert outcome.imported == len(logged)
    there = swipes_in(content)
    strange = [
        (user, event) for user, event in logged if (user, event.movie_id, event.preference, event.at) not in there
    ]
    assert not strange, f"logged, and not in the file: {strange[:3]}"
    again = load()
    assert (again.imported, accounted(again)) == (0, accounted(outcome))


def test_every_line_of_a_damaged_file_of_swipes_is_accounted_for(fuzz: Fuzz):
    def attack(case: Case) -> None:
        content, what = damaged(case.chance, a_log(case.chance), TEXT_FILE)
        case.note(what)
        if case.chance.random() < 0.9:
            check(case, MemoryStore(), content)
        else:
            with closing(SqliteStore(case.folder / "users.db")) as store:
                check(case, store, content)

    fuzz.run(400, attack)


def test_importing_a_damaged_file_ends_as_documented(fuzz: Fuzz, copied, tmp_path):
    workspace = copied(tmp_path)

    def attack(case: Case) -> None:
        content, what = damaged(case.chance, a_log(case.chance), TEXT_FILE)
        case.note(what)
        path = case.folder / "swipes.csv"
        path.write_bytes(content)
        options = case.chance.choice(((), ("--any-movie",), ("--max-reject-share", 1), ("--json",)))
        if case.chance.random() < 0.5:
            command("users", "import", path, *options, data=workspace.root)
        else:
            command("users", "import", "-", *options, data=workspace.root, typed=content)

    fuzz.run(40, attack)
