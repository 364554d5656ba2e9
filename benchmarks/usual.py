"""The pipeline as it is usually written without mlrec: pandas with loops over users, and `implicit` used directly.

    python benchmarks/usual.py prepare RAW_DIR OUT_DIR
    python benchmarks/usual.py train PREPARED_DIR OUT_DIR
    python benchmarks/usual.py evaluate PREPARED_DIR MODEL_DIR [--evaluator loop|implicit]
    python benchmarks/usual.py serve PREPARED_DIR MODEL_DIR [--calls N]

`benchmarks/bench.py` compares mlrec with this script. It has the same buckets, filter, split, factors and metrics,
written as in tutorials, but not slower than necessary. Each command prints one JSON document with the seconds of its
stages.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

MIN_USER_RATINGS, MIN_MOVIE_RATINGS = 10, 20
FACTORS, SWEEPS, ALPHA, SEED = 64, 10, 2.0, 42
K = 10
KS = (10, 20, 50)
SECONDS: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Time a stage."""
    started = time.perf_counter()
    yield
    SECONDS[name] = round(time.perf_counter() - started, 3)


def prepare(raw: Path, out: Path) -> None:
    """Make buckets, drop duplicates, apply the core filter, and split each user's history by time."""
    import duckdb
    import pandas as pd

    out.mkdir(parents=True, exist_ok=True)
    with stage("read"):
        ratings = pd.read_csv(raw / "ratings.csv")
    with stage("filter"):
        bucket = pd.cut(ratings["rating"], [0, 2.5, 3.5, 4.5, 5], labels=[-2, -1, 1, 2])
        ratings["preference"] = bucket.astype("int8")
        ratings = ratings.sort_values(["userId", "movieId", "timestamp", "rating"])
        ratings = ratings.drop_duplicates(["userId", "movieId"], keep="last")
        n_before = -1
        while len(ratings) != n_before:
            n_before = len(ratings)
            per_movie = ratings["movieId"].map(ratings["movieId"].value_counts())
            ratings = ratings[per_movie >= MIN_MOVIE_RATINGS]
            per_user = ratings["userId"].map(ratings["userId"].value_counts())
            ratings = ratings[per_user >= MIN_USER_RATINGS]
    with stage("split"):
        ratings = ratings.sort_values(["userId", "timestamp", "movieId"])
        parts: dict[str, list[Any]] = {"train": [], "val": [], "test": []}
        for _, events in ratings.groupby("userId", sort=False):
            n_train, n_val = len(events) * 8 // 10, len(events) // 10
            parts["train"].append(events.iloc[:n_train])
            parts["val"].append(events.iloc[n_train : n_train + n_val])
            parts["test"].append(events.iloc[n_train + n_val :])
    with stage("write"):
        for name, frames in parts.items():
            part = pd.concat(frames)[["userId", "movieId", "preference", "timestamp"]]  # noqa: F841  # DuckDB reads it
            duckdb.sql(f"COPY (SELECT * FROM part) TO '{out / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def regularization(likes: int) -> float:
    """λ by mlrec's default rule."""
    return float(20.0 * (likes / 31_000) ** 0.45)


def read(prepared: Path, name: str) -> Any:
    """One split as a data frame, written by mlrec or by this script."""
    import duckdb

    frame = duckdb.execute(f"SELECT * FROM read_parquet('{prepared / name}.parquet')").df()
    return frame.set_axis(["user_id", "movie_id", "preference", "timestamp"], axis=1)


def train(prepared: Path, out: Path) -> None:
    """Train `implicit`'s ALS on the likes with mlrec's default settings, as far as it has them: it has no start."""
    import pandas as pd
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy import sparse
    from threadpoolctl import threadpool_limits

    out.mkdir(parents=True, exist_ok=True)
    with stage("read"):
        events = read(prepared, "train")
    with stage("matrix"):
        user_idx, user_ids = pd.factorize(events["user_id"], sort=True)
        movie_idx, movie_ids = pd.factorize(events["movie_id"], sort=True)
        liked = events["preference"].to_numpy() > 0
        confidence = 1 + ALPHA * events["preference"].to_numpy()[liked].astype(np.float32)
        shape = (len(user_ids), len(movie_ids))
        matrix = sparse.csr_matrix((confidence, (user_idx[liked], movie_idx[liked])), shape=shape)
    with stage("fit"), threadpool_limits(1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=FACTORS,
            regularization=regularization(int(liked.sum())),
            alpha=1.0,
            iterations=SWEEPS,
            random_state=SEED,
        )
        model.fit(matrix, show_progress=False)
    with stage("save"):
        model.save(str(out / "model.npz"))
        sparse.save_npz(out / "matrix.npz", matrix, compressed=False)
        np.savez(out / "ids.npz", users=np.asarray(user_ids), movies=np.asarray(movie_ids))


def _load(folder: Path) -> tuple[Any, Any, Any, Any]:
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy import sparse

    ids = np.load(folder / "ids.npz")
    model = AlternatingLeastSquares.load(str(folder / "model.npz"))
    return model, sparse.load_npz(folder / "matrix.npz"), ids["users"], ids["movies"]


def evaluate(prepared: Path, folder: Path, evaluator: str) -> None:
    """Recall, precision and NDCG on validation: with a loop over users for several K, or with `implicit` for one."""
    import pandas as pd
    from implicit.evaluation import ranking_metrics_at_k
    from scipy import sparse
    from threadpoolctl import threadpool_limits

    with stage("read"):
        model, liked, user_ids, movie_ids = _load(folder)
        held_out = read(prepared, "val")
        held_out = held_out[(held_out["preference"] > 0) & held_out["movie_id"].isin(movie_ids)]
        train_events = read(prepared, "train")
        user_of, movie_of = pd.Index(user_ids), pd.Index(movie_ids)
        rows, columns = user_of.get_indexer(held_out["user_id"]), movie_of.get_indexer(held_out["movie_id"])
        answers = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=liked.shape)
        rows = user_of.get_indexer(train_events["user_id"])
        columns = movie_of.get_indexer(train_events["movie_id"])
        seen = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=liked.shape)
    with stage("evaluate"), threadpool_limits(1, user_api="blas"):
        if evaluator == "implicit":
            ranking_metrics_at_k(model, seen, answers, K=K, show_progress=False)
            return
        discounts = 1 / np.log2(np.arange(2, max(KS) + 2))
        found: dict[str, list[float]] = {f"{name}@{k}": [] for k in KS for name in ("recall", "precision", "ndcg")}
        for user in np.flatnonzero(np.diff(answers.indptr)):
            relevant = set(answers[user].indices)
            recommended, _ = model.recommend(user, seen[user], N=max(KS))
            hits = np.array([movie in relevant for movie in recommended])
            for k in KS:
                first = hits[:k]
                found[f"recall@{k}"].append(first.sum() / len(relevant))
                found[f"precision@{k}"].append(first.sum() / k)
                ideal = discounts[: min(k, len(relevant))].sum()
                found[f"ndcg@{k}"].append(first @ discounts[: len(first)] / ideal)
        SECONDS["users"] = len(found["ndcg@10"])
        SECONDS["ndcg"] = float(np.mean(found["ndcg@10"]))


def serve(prepared: Path, folder: Path, calls: int) -> None:
    """Seconds for a list of ten, for similar movies, and for learning one more like, with `implicit`'s own calls."""
    from threadpoolctl import threadpool_limits

    del prepared
    with stage("open"):
        model, liked, _, _ = _load(folder)
    users = np.random.default_rng(1).integers(liked.shape[0], size=calls)

    def measure(name: str, call: Any) -> None:
        taken = []
        for user in users.tolist():
            started = time.perf_counter()
            call(user)
            taken.append(time.perf_counter() - started)
        SECONDS[name], SECONDS[f"{name}_p99"] = np.percentile(taken, [50, 99]).tolist()

    with threadpool_limits(1, user_api="blas"):
        measure("top_n", lambda user: model.recommend(user, liked[user], N=K))
        measure("similar", lambda user: model.similar_items(user % liked.shape[1], N=K))
        measure("update", lambda user: model.recalculate_user(user, liked[user]))


def main() -> None:
    """Run one step and print its seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("prepare", "train", "evaluate", "serve"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--evaluator", choices=("loop", "implicit"), default="loop")
    parser.add_argument("--calls", type=int, default=1000)
    arguments = parser.parse_args()
    match arguments.step:
        case "prepare":
            prepare(arguments.source, arguments.target)
        case "train":
            train(arguments.source, arguments.target)
        case "evaluate":
            evaluate(arguments.source, arguments.target, arguments.evaluator)
        case "serve":
            serve(arguments.source, arguments.target, arguments.calls)
    print(json.dumps(SECONDS))


if __name__ == "__main__":
    main()
