"""Lists of another system on a handful of users and movies, with every list and figure worked out by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mlrec.dataset.foreign_lists import ReadLists
from mlrec.errors import InputError, SettingsError
from mlrec.evaluation.bootstrap import ratio
from mlrec.evaluation.foreign_lists import ForeignLists, ListsReport, judged, name_of, read_all
from mlrec.evaluation.judging import HeldOutMovies, Judge, Rows
from mlrec.evaluation.jury import Jury
from mlrec.evaluation.listers import Known
from mlrec.evaluation.metrics import METRICS
from mlrec.ids import array_of
from mlrec.progress import SILENT
from mlrec.ranking.best_unseen import Seen
from mlrec.ranking.histories import History
from mlrec.settings import EvaluateSettings, RelevanceWithin

# Users 10, 20, 30, 40 are rows 0 to 3; movies 1 to 6 are rows 0 to 5, of which 6 is not in the core. 10 knows movie 1,
# and 20 knows 2 and 3.
MODEL = cast(Any, SimpleNamespace(user_ids=np.array([10, 20, 30, 40]), movie_ids=np.arange(1, 7)))
IS_TRAINED = np.array([True, True, True, True, True, False])
ENTRIES = [
    *((10, movie) for movie in (1, 4, 99, 2, 6)),
    *((20, movie) for movie in (3, 2)),
    *((25, movie) for movie in (1, 2)),
    *((30, movie) for movie in (6, 5)),
]
TEXTS = [(f"u{user}", f"m{movie}") for user, movie in ENTRIES]


def read(entries=ENTRIES, **counts: Any) -> ReadLists:
    users, movies = zip(*entries, strict=True)
    facts: dict[str, Any] = {
        "label": "lists.csv",
        "ordered_by": "rank",
        "rows": len(entries),
        "repeated": 0,
        "uneven_ranks": 0,
    }
    kind: Any = "text" if isinstance(users[0], str) else "integer"
    return ReadLists(**(facts | counts), user_id=array_of(users, kind), movie_id=array_of(movies, kind))


def known() -> Known:
    history = History(
        indptr=np.array([0, 1, 3, 3, 3]),
        movie_idx=np.array([0, 1, 2], np.int32),
        preference=np.ones(3, np.int8),
        timestamp=np.arange(3),
        split=np.zeros(3, np.int8),
    )
    share = np.full(6, 0.1, np.float32)
    return Known(history, history, np.ones(6, np.int64), share, None, [["A"]] * 6, IS_TRAINED)


def jury(within: RelevanceWithin = "all") -> Jury:
    """Of 10, movies 2 and 4 are relevant; of 20, movie 1; of 30, 5 and one that the model does not know; of 40, 3."""
    relevant = Rows(np.array([0, 2, 3, 4, 5]), np.array([1, 3, 0, 4, 2]))
    movies = HeldOutMovies(
        users=np.arange(4),
        n_relevant=np.array([2, 1, 2, 1]),
        relevant=relevant,
        disliked=Rows(np.zeros(5, np.int64), np.array([], np.int64)),
        moments=np.zeros(4, np.int64),
        users_left_out=0,
        n_outside=np.zeros((2, 4), np.int64),
    )
    return Jury(Judge(movies, known(), METRICS, (3,), threads=1), EvaluateSettings(), SILENT, within)


def listed(lists: ForeignLists, rows=(0, 1, 2, 3), n=4, **options):
    rows = np.array(rows)
    return lists.listed(rows, Seen.of(known().history, rows), n, **options).tolist()


@pytest.mark.parametrize("entries", [ENTRIES, TEXTS], ids=["integer", "text"])
def test_known_movies_make_room_and_unknown_ones_stay_as_misses(entries):
    model = MODEL
    if entries is TEXTS:
        ids = {name: array_of([f"{name[0]}{one}" for one in getattr(MODEL, name)], "text") for name in vars(MODEL)}
        model = cast(Any, SimpleNamespace(**ids))
    lists = ForeignLists.of(model, read(entries))
    assert lists.unknown_users == 1
    assert listed(lists) == [[3, -1, 1, 5], [-1] * 4, [5, 4, -1, -1], [-1] * 4]
    assert listed(lists, rows=(2, 0), n=2) == [[5, 4], [3, -1]]
    assert listed(lists, listable=IS_TRAINED) == [[3, -1, 1, -1], [-1] * 4, [4, -1, -1, -1], [-1] * 4]


def test_figures_by_hand():
    lists = ForeignLists.of(MODEL, read())
    found = jury().judge.judge(lists.listed, lambda _: None)
    figures = {name: ratio(*columns) for name, columns in found.per_user.items()}
    # 10 has hits at ranks 1 and 3 of 2 relevant movies; 20 and 40 have none; 30 has one at rank 2 of 2.
    ideal = 1 + 1 / math.log2(3)
    ndcg = [(1 + 1 / math.log2(4)) / ideal, 0, (1 / math.log2(3)) / ideal, 0]
    assert figures["ndcg@3"] == pytest.approx(sum(ndcg) / 4)
    assert figures["recall@3"] == pytest.approx((2 / 2 + 0 + 1 / 2 + 0) / 4)
    assert figures["precision@3"] == pytest.approx((2 / 3 + 0 + 1 / 3 + 0) / 4)
    assert figures["mrr@3"] == pytest.approx((1 + 0 + 1 / 2 + 0) / 4)
    assert figures["hit_rate@3"] == 2 / 4
    assert found.coverage["coverage@3"] == 4 / 6  # movies 4, 2, 6 and 5


def test_an_empty_list_is_neither_novel_nor_diverse_nor_unpopular():
    lists = ForeignLists.of(MODEL, read([(10, 4), (10, 5), (20, 2), (30, 99)]))
    found = judged({"mine": lists}, jury())["mine"]
    counted = {metric: columns.denominators.tolist() for metric, columns in found.per_user.items()}
    assert counted["novelty@3"] == counted["diversity@3"] == [1, 0, 0, 0]
    assert counted["popularity_lift@3"] == [1, 0, 0, 0]  # 10 knows a movie with one like
    assert counted["ndcg@3"] == counted["disliked@3"] == [1, 1, 1, 1]


def test_what_is_told():
    report = ForeignLists.of(MODEL, read(repeated=2, uneven_ranks=1)).report(jury())
    assert report == ListsReport(
        file="lists.csv",
        ordered_by="rank",
        rows=len(ENTRIES),
        unknown_users=1,
        repeated=2,
        uneven_ranks=1,
        users_without_list=1,  # 40
        known_movies=3,  # 1 of 10, 2 and 3 of 20
        outside_core=0,
        unknown_movies=1,
        short_lists=2,  # 20 and 30; 10 has 4, 99, 2 and 6
    )
    assert report.sentences(4, 3) == [
        "1 of 4 users have no list, which counts as a list without a hit.",
        "2 lists are shorter than 3, so recall@3 is a lower bound.",
        "3 listed movies were known to the user and removed; the movies below moved up.",
        "1 listed movie is not in the catalogue and stayed as a miss.",
        "2 rows were skipped because the list has the movie already.",
        "1 list had ranks with ties or gaps: ties were ordered by movie id, and gaps were closed.",
        "1 user of the file is unknown and was skipped.",
    ]
    of_core = ForeignLists.of(MODEL, read()).report(jury("core"))
    assert (of_core.outside_core, of_core.short_lists) == (2, 2)
    silent = ForeignLists.of(MODEL, read([(user, movie) for user in (10, 20, 30, 40) for movie in (4, 5, 6)]))
    assert silent.report(jury()).sentences(4, 3) == []


@pytest.mark.parametrize(
    ("entries", "words"),
    [([(11, 1)], "none of the users"), ([(10, 7)], "none of the movies"), (TEXTS, "such as 'u10'")],
)
def test_lists_of_other_data_are_refused(entries, words):
    with pytest.raises(InputError, match=words):
        ForeignLists.of(MODEL, read(entries))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("lists.csv", "lists"),
        ("out/my.lists.v2.csv.gz", "my.lists.v2"),
        ("spark/lists.parquet/", "lists"),
        ("LISTS.TSV.ZST", "LISTS"),
        ("plain", "plain"),
        (".csv", ".csv"),
        ("csv.csv", "csv"),
        ("parts/*.csv", "*"),
    ],
)
def test_lists_are_named_by_their_file(file, name):
    assert name_of(file) == name


@pytest.mark.parametrize("name", ["als", "", " ", "two\nlines", "x" * 61])
def test_names_that_cannot_be_used(name):
    with pytest.raises(SettingsError, match="cannot be named"):
        read_all({name: "lists.csv"}, MODEL, taken=("als",))
