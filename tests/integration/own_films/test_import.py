"""Importing a person's films: what is logged, what is not, and that doing it again changes nothing."""

from __future__ import annotations

import csv
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlrec import Recommender
from mlrec.errors import ForgottenUserError, InputError, SettingsError
from mlrec.ids import PublicId
from mlrec.own_films.importing import REPORT_HEADER, import_films
from tests.exports import LETTERBOXD, Known, address, csv_text, films_of, letterboxd

ME = 900_001


def moment(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


@pytest.fixture
def films(few_copy) -> list[Known]:
    return films_of(few_copy, 60)


def logged(workspace, user=ME) -> list[tuple[PublicId, int]]:
    """Movie and preference of a user's swipes that are not undone, in the order of the log."""
    with Recommender.open(workspace.root) as rec:
        return [(event.movie_id, event.preference) for event in rec.history(user) if not event.undone]


def opinions(workspace) -> dict[int, int]:
    """Movie → the preference that stands for it."""
    with Recommender.open(workspace.root) as rec:
        history = rec._view(ME).history
    return dict(zip(history.movie_id.tolist(), history.preference.tolist(), strict=True))


def test_ratings_become_the_swipes_of_their_buckets(few_copy, films, tmp_path):
    stars = [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
    export = letterboxd(
        tmp_path / "me.zip", [(film, one, "2021-03-04") for film, one in zip(films, stars, strict=False)]
    )
    outcome = import_films(few_copy, export, ME)
    assert [preference for _, preference in logged(few_copy)] == [-2, -2, -2, -2, -2, -1, -1, 1, 1, 2]
    assert outcome.swipes == {"superdislike": 5, "dislike": 2, "like": 2, "superlike": 1}
    assert (outcome.films, outcome.found, outcome.imported, outcome.found_by) == (10, 10, 10, {"title": 10})
    assert outcome.report is None


def test_what_the_files_of_letterboxd_say_together(few_copy, films, tmp_path):
    rated, liked, seen, wanted, in_diary, both = films[:6]
    export = letterboxd(
        tmp_path / "me.zip",
        rated=[(rated, 5, "2021-01-01"), (both, 1, "2021-01-02")],
        watched=[(film, "2021-02-01") for film in (rated, liked, seen, in_diary, both)],
        liked=[(liked, "2021-02-02"), (both, "2021-02-02")],
        diary=[
            (in_diary, 2, "2020-05-05"), (in_diary, 4.5, "2021-05-05"),
            (rated, 1, "2019-01-01"), (seen, "", "2021-02-01"),
        ],
        wanted=[(wanted, "2021-03-01"), (seen, "2021-03-01")],
    )  # fmt: skip
    outcome = import_films(few_copy, export, ME)
    assert dict(logged(few_copy)) == {
        rated.movie_id: 2,
        both.movie_id: -2,
        liked.movie_id: 1,
        seen.movie_id: 0,
        in_diary.movie_id: 1,
    }
    assert (outcome.films, outcome.wanted) == (5, 1)
    with Recommender.open(few_copy.root) as rec:
        at = {event.movie_id: event.at for event in rec.history(ME)}
        assert at[in_diary.movie_id] == moment("2021-05-05"), "the later of two ratings in the diary"
        assert wanted.movie_id in [pick.movie_id for pick in rec.get_top_n(ME, 1000)]
        assert seen.movie_id not in [pick.movie_id for pick in rec.get_top_n(ME, 1000)]


def test_several_ratings_a_day_keep_the_order_of_the_file(few_copy, films, tmp_path):
    shuffled = [films[number] for number in (7, 3, 9, 1, 5, 0)]
    export = letterboxd(
        tmp_path / "me.zip",
        [(film, 4, "2021-03-04") for film in shuffled[:5]] + [(shuffled[5], 4, "2020-01-01")],
    )
    import_films(few_copy, export, ME)
    expected = [shuffled[5].movie_id, *(film.movie_id for film in shuffled[:5])]
    assert [movie for movie, _ in logged(few_copy)] == expected
    with Recommender.open(few_copy.root) as rec:
        history = rec._view(ME).history
        assert [int(one) for one in history.movie_id] == expected, "and so the vector learns them"


def test_the_same_file_twice_changes_nothing(few_copy, films, tmp_path):
    export = letterboxd(
        tmp_path / "me.zip",
        rated=[(film, 1 + number % 9 / 2, "2021-03-04") for number, film in enumerate(films[:30])],
        watched=[(film, "2021-03-05") for film in films[:40]],
        liked=[(film, "2021-03-05") for film in films[35:45]],
    )
    first = import_films(few_copy, export, ME)
    before = logged(few_copy)
    with Recommender.open(few_copy.root) as rec:
        vector = rec._view(ME).vector.tolist()
    second = import_films(few_copy, export, ME)
    assert (first.imported, first.already_there) == (45, 0)
    assert (second.imported, second.already_there, second.swipes) == (0, 45, {})
    assert logged(few_copy) == before
    with Recommender.open(few_copy.root) as rec:
        assert rec._view(ME).vector.tolist() == vector


def test_a_later_export_adds_what_is_new_and_takes_back_nothing(few_copy, films, tmp_path):
    import_films(
        few_copy, letterboxd(tmp_path / "1.zip", [(films[0], 2, "2021-03-04")], [(films[1], "2021-03-04")]), ME
    )
    later = letterboxd(
        tmp_path / "2.zip",
        [(films[2], 4, "2021-03-04"), (films[0], 5, "2022-01-01"), (films[1], 5, "2021-03-01")],
        [(films[1], "2021-03-04")],
    )
    outcome = import_films(few_copy, later, ME)
    assert outcome.imported == 3
    ratings = opinions(few_copy)
    # The rating of the film that was only "watched" before counts, although it is of an earlier day.
    assert ratings == {films[0].movie_id: 2, films[1].movie_id: 2, films[2].movie_id: 1}


def test_an_undone_swipe_stays_undone(few_copy, films, tmp_path):
    export = letterboxd(tmp_path / "me.zip", [(films[0], 5, "2021-03-04")])
    import_films(few_copy, export, ME)
    with Recommender.open(few_copy.root) as rec:
        rec.undo(ME)
    outcome = import_films(few_copy, export, ME)
    assert (outcome.imported, outcome.undone) == (0, 1)
    assert logged(few_copy) == []


def test_own_opinions_stand(few_copy, films, tmp_path):
    """A film that was only seen, or rated who knows when, does not replace an opinion; a dated rating is a rating."""
    with Recommender.open(few_copy.root) as rec:
        for film in films[:3]:
            rec.update_user(ME, film.movie_id, "superlike")
    header = [*LETTERBOXD, "Rating"]
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "watched.csv").write_text(csv_text(LETTERBOXD, [["2030-01-01", *films[0][1:], address(films[0])]]))
    (folder / "ratings.csv").write_text(csv_text(header, [["", *film[1:], address(film), 1] for film in films[1:2]]))
    outcome = import_films(few_copy, folder, ME)
    assert [row.reason for row in outcome.not_imported] == ["date in the future"]
    assert (outcome.imported, outcome.kept) == (0, 1)
    (folder / "watched.csv").write_text(csv_text(LETTERBOXD, [["2022-01-01", *films[0][1:], address(films[0])]]))
    outcome = import_films(few_copy, folder, ME)
    assert (outcome.imported, outcome.kept) == (0, 2)
    assert logged(few_copy) == [(film.movie_id, 2) for film in films[:3]]


def test_the_model_s_own_data_stands_before_a_skip(few_copy, tmp_path):
    with Recommender.open(few_copy.root) as rec:
        user = rec.users(1).users[0].user_id
        rated = {one.movie_id: one.preference for one in rec.ratings(user)}
    known = [film for film in films_of(few_copy, 2000) if film.movie_id in rated][:5]
    assert len(known) == 5
    outcome = import_films(
        few_copy, letterboxd(tmp_path / "me.zip", watched=[(film, "2024-01-01") for film in known]), user
    )
    assert (outcome.imported, outcome.kept) == (0, 5)


def test_undated_rows_take_the_date_of_their_neighbour(few_copy, films, tmp_path):
    header = [*LETTERBOXD, "Rating"]
    days = ["", "2021-03-04", "", "2021-05-06", ""]
    rows = [[day, film.title, film.year, address(film), 4] for day, film in zip(days, films, strict=False)]
    (tmp_path / "ratings.csv").write_text(csv_text(header, rows))
    import_films(few_copy, tmp_path / "ratings.csv", ME)
    with Recommender.open(few_copy.root) as rec:
        found = [(event.movie_id, event.at) for event in rec.history(ME)]
    first, last = moment("2021-03-04"), moment("2021-05-06")
    assert found == list(
        zip([film.movie_id for film in films[:5]], [first, first + 1, first + 2, last, last + 1], strict=False)
    )


def test_scale_to_me_uses_the_person_s_own_quarters(few_copy, films, tmp_path):
    """Of somebody who gives four stars or more to everything, the lowest quarter are the films they disliked most."""
    stars = [4, 4, 4, 4.5, 4.5, 4.5, 4.5, 5, 5, 5, 5, 5]
    export = letterboxd(
        tmp_path / "me.zip", [(film, one, "2021-03-04") for film, one in zip(films, stars, strict=False)]
    )
    import_films(few_copy, export, ME)
    assert [preference for _, preference in logged(few_copy)] == [1] * 7 + [2] * 5
    outcome = import_films(few_copy, export, ME, scale_to_me=True)
    assert (outcome.imported, outcome.already_there) == (7, 5)
    ratings = opinions(few_copy)
    assert [ratings[film.movie_id] for film in films[:12]] == [-2] * 3 + [-1] * 4 + [2] * 5
    # And back again: nothing that was stored is in the way.
    import_films(few_copy, export, ME)
    ratings = opinions(few_copy)
    assert [ratings[film.movie_id] for film in films[:12]] == [1] * 7 + [2] * 5


def test_a_dry_run_stores_nothing_and_tells_the_same(few_copy, films, tmp_path):
    unknown = Known(1, "No Such Film", 1999)
    export = letterboxd(tmp_path / "me.zip", [(film, 4, "2021-03-04") for film in (*films[:9], unknown)])
    dry = import_films(few_copy, export, ME, dry_run=True)
    assert logged(few_copy) == []
    assert not few_copy.users_db.exists() or dry.dry_run
    wet = import_films(few_copy, export, ME)
    assert {**dry.to_json(), "dry_run": False} == wet.to_json()
    assert wet.imported == 9


def test_films_that_are_not_found_are_reported_and_can_be_corrected(few_copy, films, tmp_path):
    unknown, wrong = Known(1, "=HYPERLINK(1)", 1999), Known(2, "Nearly " + films[1].title, films[1].year)
    export = letterboxd(
        tmp_path / "me.zip", [(films[0], 4, "2021-03-04"), (unknown, 4, "2021-03-04"), (wrong, 5, "2021-03-05")]
    )
    outcome = import_films(few_copy, export, ME)
    assert outcome.report == few_copy.film_rejects
    assert outcome.report is not None
    assert stat.S_IMODE(outcome.report.stat().st_mode) == 0o600
    with outcome.report.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["line"], row["title"], row["year"], row["id"]) for row in rows] == [
        ("me.zip:ratings.csv", "3", "'=HYPERLINK(1)", "1999", address(unknown)),
        ("me.zip:ratings.csv", "4", wrong.title, str(wrong.year), address(wrong)),
    ]
    assert str(films[1].movie_id) in [near.split(":")[0] for near in rows[1]["nearest"].split("; ")]
    # By hand: the second film is in the model.
    rows[0]["movie_id"], rows[1]["movie_id"] = "none", f"{films[1].movie_id}.0"
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(csv_text(list(rows[0]), [list(row.values()) for row in rows]))
    outcome = import_films(few_copy, export, ME, match=corrected)
    assert outcome.found_by == {"by hand": 1, "title": 1}
    assert outcome.reasons == {"not in the model, by your correction": 1}
    assert logged(few_copy) == [(films[0].movie_id, 1), (films[1].movie_id, 2)]
    again = import_films(few_copy, export, ME, match=corrected)
    assert (again.imported, again.already_there) == (0, 2)


def test_a_correction_takes_back_what_was_learned_of_the_wrong_film(few_copy, films, tmp_path):
    export = letterboxd(tmp_path / "me.zip", [(films[0], 5, "2021-03-04"), (films[1], 5, "2021-03-04")])
    import_films(few_copy, export, ME)
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(csv_text(["title", "year", "movie_id"], [
        [films[0].title.upper(), films[0].year, films[2].movie_id], [films[1].title, films[1].year, "none"],
    ]))  # fmt: skip
    outcome = import_films(few_copy, export, ME, match=corrected)
    assert (outcome.imported, outcome.corrected) == (1, 2)
    assert logged(few_copy) == [(films[2].movie_id, 2)]


@pytest.mark.parametrize("title", ["=1+1", "＝1+1", "  -1", "'Round Midnight", "@Home"])
def test_a_title_that_a_spreadsheet_would_run_can_be_corrected(title, few_copy, films, tmp_path):
    """In the report, an apostrophe stands before it; the report names the film all the same."""
    export = tmp_path / "ratings.csv"
    export.write_text(csv_text([*LETTERBOXD, "Rating"], [["2021-03-04", title, 1899, "", 5]]))
    report = import_films(few_copy, export, ME).report
    assert report is not None
    with report.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(csv_text(list(row), [[*list(row.values())[:-1], films[0].movie_id]]))
    outcome = import_films(few_copy, export, ME, match=corrected)
    assert (outcome.found_by, outcome.notes) == ({"by hand": 1}, ())


def test_corrections_that_are_too_long_are_not_cut_short(few_copy, films, tmp_path, monkeypatch):
    monkeypatch.setattr("mlrec.own_films.sources.LARGEST_FILE", 300)
    export = tmp_path / "ratings.csv"
    export.write_text(csv_text([*LETTERBOXD, "Rating"], [["2021-03-04", films[0].title, films[0].year, "u", 5]]))
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("title,year,movie_id\n" + f"Heat,1995,{films[1].movie_id}\n" * 50)
    with pytest.raises(InputError, match=r"corrected\.csv is larger than"):
        import_films(few_copy, export, ME, match=corrected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title,year\nHeat,1995\n", "lacks the column movie_id"),
        ("movie_id\n1\n", "lacks the column title"),
        ("title,year,movie_id\nHeat,1995,99999999\n", "line 2: the model does not know movie '99999999'"),
        ("title,year,movie_id\nHeat,1995,Heat\n", "line 2: the model does not know movie 'Heat'"),
    ],
)
def test_unusable_corrections(content, message, few_copy, films, tmp_path):
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(content)
    export = letterboxd(tmp_path / "me.zip", [(films[0], 5, "2021-03-04")])
    with pytest.raises(InputError, match=message):
        import_films(few_copy, export, ME, match=corrected)
    assert logged(few_copy) == []


def test_no_film_is_two_movies(few_copy, films, tmp_path):
    """Two films of an export that fit one movie: the surer one is taken, and of two equally sure ones none."""
    film, other = films[:2]
    near = Known(77, film.title, film.year + 1)
    export = letterboxd(tmp_path / "me.zip", [(film, 5, "2021-03-04"), (near, 1, "2021-03-05")])
    outcome = import_films(few_copy, export, ME)
    assert logged(few_copy) == [(film.movie_id, 2)]
    assert outcome.reasons == {"another film of the export is the same movie": 1}
    one, two = other._replace(movie_id=88), other._replace(movie_id=99)
    export = letterboxd(
        tmp_path / "2.zip", [(one, 5, "2021-03-04"), (two, 1, "2021-03-05")], diary=[(one, 3, "2021-04-01")]
    )
    outcome = import_films(few_copy, export, 900_002)
    assert logged(few_copy, 900_002) == []
    assert outcome.reasons == {
        "another film of the export is the same movie": 2,
        "the export has two films with this title and year": 1,
    }


def test_a_forgotten_person_is_not_learned(few_copy, films, tmp_path):
    with Recommender.open(few_copy.root) as rec:
        rec.update_user(ME, films[0].movie_id, "like")
        rec.forget_user(ME)
    with pytest.raises(ForgottenUserError):
        import_films(few_copy, letterboxd(tmp_path / "me.zip", [(films[0], 5, "2021-03-04")]), ME)


def test_text_ids(text_copy, tmp_path):
    from mlrec.artifacts import model_folder, registry
    from mlrec.ids import public_at

    model = model_folder.open_model(registry.resolve(text_copy))
    row = int(model.popularity.argmax())
    film = Known(1, model.catalogue.title[row], model.catalogue.year[row] or 0)
    outcome = import_films(text_copy, letterboxd(tmp_path / "me.zip", [(film, 5, "2021-03-04")]), "me")
    assert outcome.imported == 1
    with Recommender.open(text_copy.root) as rec:
        assert [event.movie_id for event in rec.history("me")] == [public_at(model.movie_ids, row)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("with_rejects", [True, False])
@pytest.mark.parametrize(
    "name",
    ["export/ratings.csv", "corrected.csv", "notes.txt", "picture.png", "data/users.db", "filled.csv", "link.csv"],
)
def test_a_report_takes_the_place_of_nothing_but_a_report(name, with_rejects, dry_run, few_copy, films, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    rows = [["2021-03-04", film.title, film.year, address(film), 4] for film in films[:3]]
    rows += [["2021-03-04", "No Such Film", 1999, "u", 4]] * with_rejects
    (folder / "ratings.csv").write_text(csv_text([*LETTERBOXD, "Rating"], rows))
    (tmp_path / "corrected.csv").write_text(
        f"title,year,movie_id\n{films[0].title},{films[0].year},{films[0].movie_id}\n"
    )
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\x00")
    (tmp_path / "filled.csv").write_text(csv_text(REPORT_HEADER, [["f", 1, "Heat", 1995, "", "", "", "", 6]]))
    (tmp_path / "link.csv").symlink_to(tmp_path / "notes.txt")
    with Recommender.open(few_copy.root) as rec:
        rec.update_user(5, films[0].movie_id, "like")
    before = contents(tmp_path)
    with pytest.raises(SettingsError, match=r"would (replace|overwrite)"):
        import_films(few_copy, folder, ME, match=tmp_path / "corrected.csv", report=tmp_path / name, dry_run=dry_run)
    after = contents(tmp_path)
    assert {path: after.get(path) for path in before if "users.db" not in path} == {
        path: content for path, content in before.items() if "users.db" not in path
    }
    assert logged(few_copy) == []
    assert logged(few_copy, 5) == [(films[0].movie_id, 1)]


@pytest.mark.parametrize("with_rejects", [True, False])
def test_a_report_takes_the_place_of_no_device(with_rejects, few_copy, films, tmp_path):
    """A named pipe stands for devices, which a test must not risk."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rated = [(films[0], 4.0, "2021-03-04"), *([(Known(1, "No Such Film", 1999), 4.0, "2021-03-04")] * with_rejects)]
    with pytest.raises(SettingsError, match="is not a regular file"):
        import_films(few_copy, letterboxd(tmp_path / "me.zip", rated), ME, report=pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_earlier_report_is_replaced_and_removed_only_by_an_import(few_copy, films, tmp_path):
    bad = letterboxd(tmp_path / "bad.zip", [(Known(1, "No Such Film", 1999), 4, "2021-03-04")])
    good = letterboxd(tmp_path / "good.zip", [(films[0], 4, "2021-03-04")])
    for _ in range(2):
        import_films(few_copy, bad, ME)
    assert few_copy.film_rejects.exists()
    import_films(few_copy, good, ME, dry_run=True)
    assert few_copy.film_rejects.exists(), "a dry run removes nothing"
    named = tmp_path / "named.csv"
    import_films(few_copy, bad, ME, report=named)
    import_films(few_copy, good, ME, report=named)
    assert named.exists(), "a file that somebody named stays"
    import_films(few_copy, good, ME)
    assert not few_copy.film_rejects.exists()


def test_corrections_filled_in_where_the_report_lies_are_not_lost(few_copy, films, tmp_path):
    export = letterboxd(tmp_path / "me.zip", [(Known(1, "No Such Film", 1999), 4, "2021-03-04")])
    report = import_films(few_copy, export, ME).report
    assert report is not None
    report.write_text(report.read_text().rstrip("\n") + str(films[0].movie_id) + "\n")
    filled = report.read_bytes()
    for match in (None, report):
        with pytest.raises(SettingsError, match=r"(movie_id has been filled in|would overwrite)"):
            import_films(few_copy, export, ME, match=match)
    assert report.read_bytes() == filled


def test_corrections_that_fit_no_film_or_contradict_each_other_are_told(few_copy, films, tmp_path):
    export = letterboxd(tmp_path / "me.zip", [(films[0], 4, "2021-03-04"), (Known(1, "Amélie", 1899), 5, "2021-03-04")])
    corrected = tmp_path / "corrected.csv"
    one, other = films[1].movie_id, films[2].movie_id
    corrected.write_text(f"title,year,movie_id\nNobody,1990,{one}\nAmélie,,{one}\nAMELIE,1899,{other}\n")
    outcome = import_films(few_copy, export, ME, match=corrected)
    assert outcome.found_by["by hand"] == 1
    assert outcome.notes == ("2 corrections fit no film of the export: line 2, Nobody (1990); line 3, Amélie.",)
    corrected.write_text(f"title,year,movie_id\nAmélie,1899,{one}\nAmelie,1899,{other}\n")
    with pytest.raises(InputError, match="line 3 says another movie than an earlier line about the same film"):
        import_films(few_copy, export, ME, match=corrected)
