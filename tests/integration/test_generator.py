"""The generator of synthetic ratings, at a hundredth of MovieLens 20M."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCALE = 0.01


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script as a module. It adds to the path, which is taken back; what it has imported stays known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", sys.path.copy())
        spec = importlib.util.spec_from_file_location("benchmarks.generate", BENCHMARKS / "generate.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


@pytest.fixture(scope="module")
def folder(generate, tmp_path_factory) -> Path:
    out_dir: Path = tmp_path_factory.mktemp("synthetic")
    assert generate.main([str(out_dir), "--scale", str(SCALE), "--no-check"]) == 0
    return out_dir


@pytest.fixture(scope="module")
def ratings(folder) -> NDArray[np.float64]:
    """Rows of user id, movie id, rating, timestamp."""
    return np.loadtxt(folder / "ratings.csv", delimiter=",", skiprows=1)


@pytest.fixture(scope="module")
def movies(folder) -> list[list[str]]:
    with (folder / "movies.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def test_every_marginal_is_within_its_tolerance(generate, folder):
    off = [result for result in generate.check(folder, SCALE) if not result.passed]
    assert off == []


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads(generate, folder, tmp_path):
    generate.main([str(tmp_path), "--scale", str(SCALE), "--no-check", "--threads", "1"])
    for name in ("ratings.csv", "movies.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_users_may_have_uuids_and_all_else_is_the_same(generate, folder, tmp_path):
    assert generate.main([str(tmp_path), "--scale", str(SCALE), "--text-users"]) == 0
    numbers, texts = ((one / "ratings.csv").read_text().splitlines()[1:] for one in (folder, tmp_path))
    assert [line.split(",", 1)[1] for line in numbers] == [line.split(",", 1)[1] for line in texts]
    pairs = {(one.split(",")[0], other.split(",")[0]) for one, other in zip(numbers, texts, strict=True)}
    users = {text for _, text in pairs}
    assert len(pairs) == len(users) == len({number for number, _ in pairs})
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", user) for user in users)


def test_another_seed_gives_other_data_of_the_same_shape(generate, folder, tmp_path):
    assert generate.main([str(tmp_path), "--scale", str(SCALE), "--seed", "7"]) == 0
    for name in ("ratings.csv", "movies.csv"):
        assert (tmp_path / name).read_bytes() != (folder / name).read_bytes()


def test_the_check_finds_what_is_off(generate, folder, tmp_path, capsys):
    (tmp_path / "movies.csv").write_bytes((folder / "movies.csv").read_bytes())
    head, first, *rest = (folder / "ratings.csv").read_text().splitlines()
    (tmp_path / "ratings.csv").write_text("\n".join([head, first, first, *rest]) + "\n")
    off = {result.name for result in generate.check(tmp_path, SCALE) if not result.passed}
    assert {"ratings", "movies rated twice by a user"} <= off


def test_counts_at_a_hundredth(ratings):
    user, movie, rating, _ = ratings.T
    assert len(ratings) == 200_003  # 20,000,263 / 100
    assert np.unique(user).tolist() == list(range(1, 1386))  # 138,493 / 100
    assert np.bincount(user.astype(int))[1:].min() == 20
    assert np.bincount((rating * 2).astype(int))[1:].tolist() == [
        *(2_391, 6_807, 2_793, 14_310, 8_834, 42_912, 22_002, 55_619, 15_348, 28_987),
    ]
    assert len(np.unique(user * 1e6 + movie)) == len(ratings)


def test_rows_ascend_by_user_and_movie(ratings):
    assert (np.diff(ratings[:, 0] * 1e6 + ratings[:, 1]) > 0).all()


def test_the_larger_set_has_more_movies_but_fewer_in_proportion(generate):
    from benchmarks.synthetic.marginals import shape_at

    small, real, large = (shape_at(scale) for scale in (0.01, 1, 2))
    assert (real.n_ratings, real.n_users, real.n_listed, real.n_rated) == (20_000_263, 138_493, 27_278, 26_744)
    assert small.n_listed < real.n_listed < large.n_listed
    assert small.n_listed > real.n_listed * 0.01
    assert large.n_listed < real.n_listed * 2


def test_the_curves_at_scale_1_meet_the_published_figures(generate):
    from benchmarks.synthetic.marginals import gini, shape_at

    shape = shape_at(1)
    assert [shape.activity.min(), np.median(shape.activity), shape.activity.max()] == [20, 68, 9_254]
    assert shape.activity.sum() == 20_000_263
    assert shape.popularity.sum() == pytest.approx(20_000_263)
    assert np.median(shape.popularity) == pytest.approx(18, abs=0.5)
    # LensKit's description of ML-20M gives 0.903.
    assert gini(shape.popularity) == pytest.approx(0.903, abs=0.001)


def test_movies_have_the_titles_that_parsers_stumble_over(movies):
    head, *rows = movies
    assert head == ["movieId", "title", "genres"]
    assert {len(row) for row in rows} == {3}
    titles = {re.sub(r"\d{4}", "Y", title) for _, title, _ in rows}
    assert {
        "Lantern, The (Y)",
        "Rain, Salt, and Tin (Y)",
        '"Midnight" Cartographers, The (Y)',
        "Étoile d'Ambreville, L' (Y)",
        "[Hollow] (Y)",
        "Harbour Clocks (Y–Y)",
        "Tin Weather (Y– )",
        "Untitled Ferry Project",
    } <= titles
    assert any(genres == "(no genres listed)" for _, _, genres in rows)
    assert len({title for _, title, _ in rows}) == len(rows)


def test_movie_ids_ascend_with_gaps(movies):
    ids = np.array([int(movie_id) for movie_id, _, _ in movies[1:]])
    assert (np.diff(ids) > 0).all()
    assert ids[-1] == 131_262
    assert len(ids) < ids[-1]


@pytest.mark.parametrize("scale", ["0", "0.0009", "11", "nan", "much"])
def test_a_scale_out_of_bounds_is_refused(generate, scale, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        generate.main([str(tmp_path / "out"), "--scale", scale])
    assert caught.value.code == 2
    assert f"from 0.001 to 10, not {scale}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_exact_classes_in_spite_of_ties(generate):
    from benchmarks.synthetic.events import cut_points

    values = np.array([2, 1, 3, 1, 2, 1], dtype=np.float32)
    cuts = cut_points(values, np.array([2, 2, 2]))
    assert np.bincount(np.digitize(values, cuts)).tolist() == [2, 2, 2]


def test_there_is_taste_to_learn(ratings):
    """NDCG@10 of the liked in the last fifth of each user's time: ALS on likes against the most liked movies."""
    user, movie, rating, _ = ratings[np.lexsort((ratings[:, 3], ratings[:, 0]))].T
    user_idx, (_, movie_idx) = user.astype(int) - 1, np.unique(movie, return_inverse=True)
    n = np.bincount(user_idx)
    in_train = np.arange(len(user)) - (np.cumsum(n) - n)[user_idx] < (0.8 * n)[user_idx]
    liked = rating > 3.5

    def dense(chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
        cells = np.zeros((len(n), movie_idx.max() + 1), dtype=np.float32)
        cells[user_idx[chosen], movie_idx[chosen]] = 1
        return cells

    learned, relevant, seen = dense(in_train & liked), dense(~in_train & liked), dense(in_train)

    def ndcg_at_10(scores: NDArray[np.float32]) -> float:
        ranked = np.argsort(np.where(seen > 0, np.inf, -scores), axis=1)[:, :10]
        discount = 1 / np.log2(np.arange(2, 12))
        ideal = np.append(0, np.cumsum(discount))[np.minimum(relevant.sum(axis=1), 10).astype(int)]
        gain = np.take_along_axis(relevant, ranked, axis=1) @ discount
        return float((gain[ideal > 0] / ideal[ideal > 0]).mean())

    popularity = ndcg_at_10(np.broadcast_to(learned.sum(axis=0), learned.shape))
    assert ndcg_at_10(_als_scores(learned)) > 1.3 * popularity


def _als_scores(liked: NDArray[np.float32]) -> NDArray[np.float32]:
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    with threadpool_limits(1, user_api="blas"):
        als = AlternatingLeastSquares(factors=64, regularization=20, alpha=1.0, iterations=10, random_state=1)
        als.fit(csr_matrix(3 * liked), show_progress=False)
    return np.asarray(als.user_factors @ als.item_factors.T)
