"""Raw files, whole and damaged, compared with plain Python: each row is accounted for, and kept rows are right."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import duckdb

from mlrec.workspace import Workspace
from tests.fuzz.attack import Case, Done, Fuzz, command
from tests.fuzz.damage import TEXT_FILE, damaged, in_another_encoding
from tests.fuzz.plain import Event, bucket, lines_of, places_of, rating_of, records_of, standing, text_of
from tests.queries import query

LOOSE = ("--min-user-ratings", 1, "--min-movie-ratings", 1)
SPLITS = ("train", "val", "test")


# -- what mlrec has made of it -----------------------------------------------------------------------------------------


def kept(workspace: Workspace) -> list[Event]:
    """All events of the prepared folder."""
    return sorted(
        Event(*row)
        for name in SPLITS
        for row in query(
            "SELECT user_id, movie_id, preference, timestamp FROM read_parquet($path)",
            {"path": str(workspace.prepared.root / f"{name}.parquet")},
        )
    )


def check_accounts(workspace: Workspace) -> tuple[dict[str, int], dict[str, int]]:
    """Rows read are rows kept plus rows rejected, file by file; returns rows and rejects by role."""
    manifest = json.loads(workspace.prepared.manifest.read_text())
    files = {file["role"]: file["file"] for file in manifest["input"]["files"]}
    with workspace.prepared.rejects.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        listed = [row["file"] for row in csv.DictReader(file)]
    rejects = {role: listed.count(name) for role, name in files.items()}
    assert sum(rejects.values()) == len(listed) == manifest["rejects"]["rows"]
    rows = manifest["input"]["rows"]
    steps = {step["name"]: step["ratings"] for step in manifest["steps"]}
    assert steps["read"] + rejects["ratings"] == rows["ratings"]
    path = {"path": str(workspace.prepared.movies)}
    ((movies,),) = query("SELECT count(*) FROM read_parquet($path)", path)
    assert movies + rejects["movies"] == rows["movies"]
    events = kept(workspace)
    assert len(events) == steps["deduplicated"] == sum(manifest["splits"].values())
    assert len({event[:2] for event in events}) == len(events)
    return rows, rejects


NUMBERS = ("--user-ids", "integer", "--movie-ids", "integer", "--time-format", "s")
"""The files are MovieLens', whatever has become of them."""


def prepare(case: Case, workspace: Workspace, *more: object) -> Done:
    done = command("prepare", *LOOSE, *NUMBERS, "--max-reject-share", 1, *more, data=workspace.root)
    case.note(f"exit code {done.code}: {done.err.splitlines()[0] if done.err else ''}")
    assert done.code in (0, 3), done.err
    return done


# -- whole files -------------------------------------------------------------------------------------------------------

ENDS = (("\n",), ("\r\n",), ("\r",), ("\n", "\r\n"), ("\r", "\n"), ("\n", "\r\n", "\r"))
FAULTS = ("x", "1_23", "0x1F", "007", "1e1", "", "99999999999999999999", "3.7", "NaN", "1 2", "①")


def an_id(chance: Random) -> int:
    """Of two digits and more, so that a lost digit shows; few people and films, so that some rows come twice."""
    return chance.choice((10, 11, 12, 21, 123, 4567, 2**31, 2**62))


def rating_fields(chance: Random) -> list[str]:
    fields = [str(an_id(chance)), str(an_id(chance)), str(chance.randrange(1, 11) / 2), str(chance.randrange(10**10))]
    if chance.random() < 0.1:
        fields[chance.choice((0, 1, 3))] += ".0"
    if chance.random() < 0.06:
        fields[chance.choice((0, 1))] = chance.choice(FAULTS)
    if chance.random() < 0.03:
        fields[3] = chance.choice(("", "soon", "3.7.1", "-1", "1e", "1_000", "999999999999999"))
    return fields


def joined(chance: Random, lines: Iterable[str]) -> bytes:
    ends = chance.choice(ENDS)
    text = "".join(line + chance.choice(ends) * chance.choice((1, 1, 1, 1, 1, 1, 2)) for line in lines)
    return (text if chance.random() < 0.7 else text.rstrip("\r\n")).encode()


def quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def a_title(chance: Random) -> str:
    """A text as a film or a comment may have it; in quotes where CSV asks for them."""
    title = chance.choice(
        ("Heat (1995)", "Matrix, The (1999)", 'Say "Hi" (2001)', "Two\nLines (2000)", "Three\r\nLines (2000)", "Amélie",
         "Old\rMac (1984)", "'Round Midnight (1986)", " M ", "七人の侍 (1954)"),
    )  # fmt: skip
    return quoted(title) if re.search('[,"\r\n]', title) or chance.random() < 0.2 else title


def csv_set(chance: Random, raw: Path) -> tuple[list[list[str]], int]:
    """Write movies.csv and ratings.csv; returns the records of the ratings as Python reads them, and of the movies."""
    movies = ["movieId,title,genres", *(f"{movie},{a_title(chance)},Drama|Comedy" for movie in sorted(MOVIE_IDS))]
    order = chance.sample(range(4), 4)
    names = ["userId", "movieId", "rating", "timestamp"]
    has_comment = chance.random() < 0.4
    lines = [",".join([*(names[place] for place in order), *(["comment"] if has_comment else [])])]
    for _ in range(chance.randrange(1, 40)):
        fields = rating_fields(chance)
        line = [fields[place] for place in order] + ([a_title(chance)] if has_comment else [])
        lines.append(",".join(quoted(field) if chance.random() < 0.02 else field for field in line))
    bom = b"\xef\xbb\xbf" if chance.random() < 0.1 else b""
    content = {"movies.csv": joined(chance, movies), "ratings.csv": bom + joined(chance, lines)}
    for name, of_file in content.items():
        (raw / name).write_bytes(of_file)
    return records_of(text_of(content["ratings.csv"])), len(records_of(text_of(content["movies.csv"]))) - 1


MOVIE_IDS = {an_id(Random(number)) for number in range(100)}


def test_a_csv_file_with_any_line_ends_is_read_as_python_reads_it(fuzz: Fuzz):
    def attack(case: Case) -> None:
        workspace = Workspace(case.folder / "data")
        workspace.raw.mkdir(parents=True)
        records, n_movies = csv_set(case.chance, workspace.raw)
        case.note(repr((workspace.raw / "ratings.csv").read_bytes()))
        case.note(repr((workspace.raw / "movies.csv").read_bytes()))
        check_exactly(case, workspace, records[1:], records[0], n_movies)

    fuzz.run(40, attack)


def check_exactly(case: Case, workspace: Workspace, records: list[list[str]], header: list[str], n_movies: int) -> None:
    """All that is right is kept, all else is rejected."""
    places = places_of(header)
    ratings = [
        rating if len(record) == len(header) and (rating := rating_of(record, places)) else None for record in records
    ]
    expected = standing(rating for rating in ratings if rating)
    done = prepare(case, workspace)
    if not expected:
        assert done.code == 3
        return
    assert done.code == 0, done.err
    rows, rejects = check_accounts(workspace)
    assert kept(workspace) == expected
    assert rows["ratings"] == len(records)
    assert rejects["ratings"] == ratings.count(None)
    assert (rows["movies"], rejects["movies"]) == (n_movies, 0)


def test_files_of_the_older_editions_with_any_line_ends_are_read_line_by_line(fuzz: Fuzz):
    def attack(case: Case) -> None:
        chance = case.chance
        workspace = Workspace(case.folder / "data")
        workspace.raw.mkdir(parents=True)
        mark, ratings_name, movies_name = chance.choice(
            (("::", "ratings.dat", "movies.dat"), ("\t", "u.data", "u.item"))
        )
        titles = ("Heat (1995)", 'Say "Hi" (2001)', '"Quoted', "Amélie", "Matrix, The (1999)")
        ending = "|01-Jan-1995||http://x|" + "|".join("0" * 19) if mark == "\t" else "::Drama|Comedy"
        divider = "|" if mark == "\t" else "::"
        movies = [f"{movie}{divider}{chance.choice(titles)}{ending}" for movie in sorted(MOVIE_IDS)]
        lines = [mark.join(rating_fields(chance)) for _ in range(chance.randrange(1, 40))]
        (workspace.raw / movies_name).write_bytes(joined(chance, movies))
        content = joined(chance, lines)
        (workspace.raw / ratings_name).write_bytes(content)
        case.note(f"{ratings_name}: {content!r}")
        records = [line.split(mark) for (line,) in lines_of(content.decode())]
        check_exactly(case, workspace, records, ["userId", "movieId", "rating", "timestamp"], len(movies))

    fuzz.run(25, attack)


# -- damaged files -----------------------------------------------------------------------------------------------------


def write_set(chance: Random, small: Workspace, raw: Path) -> str:
    """The small data set as one of the editions has it; returns the kind."""
    kind = chance.choice(("csv", "csv", "csv", "dat", "100k", "gz", "zip", "parquet"))
    source = {name: (small.raw / name).read_bytes() for name in ("ratings.csv", "movies.csv", "links.csv")}
    ratings = records_of(text_of(source["ratings.csv"]))[1:]
    movies = records_of(text_of(source["movies.csv"]))[1:]
    raw.mkdir(parents=True)
    match kind:
        case "csv":
            files = source
        case "gz":
            files = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in source.items()}
        case "zip":
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
                for name, content in source.items():
                    archive.writestr(zipfile.ZipInfo(f"ml-small/{name}"), content)
            files = {"ml-small.zip": buffer.getvalue()}
        case "dat":
            files = {
                "ratings.dat": "\n".join("::".join(row) for row in ratings).encode(),
                "movies.dat": "\n".join("::".join(row) for row in movies).encode("latin-1", errors="replace"),
            }
        case "100k":
            files = {
                "u.data": "\n".join("\t".join(row) for row in ratings).encode(),
                "u.item": "\n".join(
                    f"{row[0]}|{row[1]}|01-Jan-1995||http://x|{'|'.join('01' * 9)}|0" for row in movies
                ).encode("latin-1", errors="replace"),
            }
        case _:
            files = {}
            with duckdb.connect() as connection:
                for name in ("ratings", "movies", "links"):
                    connection.execute(f"COPY (FROM '{small.raw / name}.csv') TO '{raw / name}.parquet'")
    for name, content in files.items():
        (raw / name).write_bytes(content)
    return kind


def harm_one(case: Case, folder: Path, pattern: str = "*") -> Path:
    path = case.chance.choice(sorted(folder.glob(pattern)))
    content, what = damaged(case.chance, path.read_bytes(), TEXT_FILE)
    case.note(f"{path.name}: {what}")
    path.write_bytes(content)
    return path


def readings(path: Path) -> Iterator[list[list[str]]]:
    """Ways to read a text file row by row that a person could defend; each a list of rows with their fields."""
    text = text_of(path.read_bytes())
    lines = [line for (line,) in lines_of(text)]
    if path.suffix == ".csv":
        for reader in (text.replace("\0", ""), text):
            try:
                yield records_of(reader)
            except csv.Error:
                continue
        yield [[field.strip().strip('"') for field in line.split(",")] for line in lines]
        yield [next(csv.reader([line]), []) for line in lines if "\0" not in line]
    else:
        mark = {".dat": "::", ".data": "\t"}[path.suffix]
        yield [line.split(mark) for line in lines]


def check_kept(workspace: Workspace) -> None:
    """Whatever was kept of a damaged text file stands in it, in full and in one row; no row is lost."""
    path = next(
        path for path in (workspace.raw / name for name in ("ratings.csv", "ratings.dat", "u.data")) if path.exists()
    )
    rows, _ = check_accounts(workspace)
    there: set[Event] = set()
    counts = set()
    for table in readings(path):
        header = table[0] if path.suffix == ".csv" else ["userId", "movieId", "rating", "timestamp"]
        try:
            places = places_of(header)
        except ValueError:
            continue
        found = [rating_of(fields, places) for fields in table]
        there |= {Event(one.user_id, one.movie_id, bucket(one.rating), one.timestamp) for one in found if one}
        counts.add(len(table) - (path.suffix == ".csv"))
    strange = [event for event in kept(workspace) if event not in there]
    assert not strange, f"kept, and not in the file: {strange[:3]}"
    assert rows["ratings"] in counts, f"{rows['ratings']} rows are accounted for, and the file has {sorted(counts)}"


def test_damaged_files_are_read_row_for_row_or_refused(fuzz: Fuzz, small):
    original = standing(rating_of(row, range(4)) for row in records_of((small.raw / "ratings.csv").read_text())[1:])  # type: ignore[misc]

    def attack(case: Case) -> None:
        workspace = Workspace(case.folder / "data")
        kind = write_set(case.chance, small, workspace.raw)
        case.note(kind)
        harm_one(case, workspace.raw)
        done = prepare(case, workspace)
        if done.code:
            assert not workspace.prepared.root.exists()
        elif kind in ("csv", "dat", "100k"):
            check_kept(workspace)
        else:
            check_accounts(workspace)
            if kind != "parquet":  # checksums within the archive say that all is as it was
                assert set(kept(workspace)) <= set(original)

    fuzz.run(90, attack)


def test_damaged_links_never_stop_a_preparation(fuzz: Fuzz, small):
    def attack(case: Case) -> None:
        workspace = Workspace(case.folder / "data")
        while not list(workspace.raw.glob("links.*")):
            workspace = Workspace(case.folder / f"data{len(case.notes)}")
            case.note(write_set(case.chance, small, workspace.raw))
        harm_one(case, workspace.raw, "links.*")
        done = command("prepare", *LOOSE, data=workspace.root)
        assert done.code == 0, f"links stop it: {done.err}"
        check_accounts(workspace)
        assert len(kept(workspace)) == 540

    fuzz.run(20, attack)


def test_the_two_readers_agree_on_any_encoding(fuzz: Fuzz, small):
    """What is accepted must not depend on whether some row of the file is bad."""

    def attack(case: Case) -> None:
        chance = case.chance
        lines = (small.raw / "ratings.csv").read_bytes().splitlines()
        with_texts = [lines[0] + b",comment"] + [
            line
            + b","
            + chance.choice((b"", b"caf\xe9", "café".encode(), b"\x93quote\x94", b"a\xc3", b"\xff", b'"x, y"'))
            for line in lines[1:]
        ]
        place = chance.randrange(1, len(lines))
        with_bad = [*with_texts[:place], b"x" + with_texts[place], *with_texts[place:]]
        encoding = chance.random() if chance.random() < 0.2 else None
        results = []
        for name, content in (("good", b"\n".join(with_texts)), ("bad", b"\n".join(with_bad))):
            workspace = Workspace(case.folder / name)
            workspace.raw.mkdir(parents=True)
            (workspace.raw / "movies.csv").write_bytes((small.raw / "movies.csv").read_bytes())
            if encoding is not None:
                content = in_another_encoding(Random(encoding), content)
            (workspace.raw / "ratings.csv").write_bytes(content)
            done = prepare(case, workspace)
            results.append((done.code, [] if done.code else kept(workspace)))
            if not done.code:
                assert check_accounts(workspace)[1]["ratings"] == (name == "bad")
        assert results[0] == results[1]

    fuzz.run(8, attack)
