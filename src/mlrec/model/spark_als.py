"""Learning on Spark: the ratings never have to fit into one machine's memory.

Movie factors come from Spark ML's ALS. For the users u and movies i of the data, it minimizes

    Σ c_ui (p_ui − x_uᵀ y_i)² + μ (Σ n_u |x_u|² + Σ n_i |y_i|²),    c = 1 + α |r|, as in mlrec,

where n is the number of positive entries in a row (Zhou et al. 2008). mlrec uses one λ for all rows instead.

The average positive entry belongs to a row with n̄ = Σ n² / Σ n such entries. For that row the two objectives agree if
μ = λ / √(n̄_u · n̄_i): a scale factor between x and y can move weight from one sum to the other, but leaves the product
of the weights as it is. Once y is multiplied by (n̄_i / n̄_u)^¼, both sums weigh λ there. The fold-in, which uses λ,
expects y at that scale.

One difference remains: Spark penalizes frequent movies more than mlrec does, and rare movies less
(docs/decisions/0010).

User vectors are mlrec's own exact solve, run on the executors.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.choice import Choice
from mlrec.artifacts.prepared import Manifest
from mlrec.dataset.reading import Movies
from mlrec.errors import IncompatibleFormatError
from mlrec.ids import IdArray, IdKind, array_of, public, rows_of
from mlrec.machine import available_threads, blas_threads
from mlrec.model.als import check_finite
from mlrec.model.item_item import ChosenMovies, ItemItemSize, likes_per_user, weights_of
from mlrec.model.learn import Candidates, Learned, require_likes, rule_of_training
from mlrec.model.matrix import Interactions, catalogue_of, signed_matrix
from mlrec.ranking.content import Content
from mlrec.ranking.histories import History
from mlrec.ranking.item_item import ItemItem
from mlrec.ranking.movie_vectors import Core, MovieVectors, OpinionsByMovie, movie_vectors
from mlrec.ranking.popularity import recent_share
from mlrec.ranking.runs import run_starts
from mlrec.settings import SPLITS, Dislikes, FoldInSettings, ItemItemSettings, TrainSettings
from mlrec.spark.session import Spark, uri
from mlrec.spark.worker import GRAM, VECTORS, gram_matrix, user_vectors
from mlrec.workspace import PreparedFiles

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from scipy.sparse import csr_matrix

# The value that Spark's ALS learns from, by the treatment of dislikes. Its sign and size are those of r.
_RATINGS: dict[Dislikes, str] = {"zero": "preference", "ignore": "preference", "as-likes": "abs(preference)"}
_SQL_TYPES: dict[IdKind, str] = {"integer": "bigint", "text": "string"}
_ENTRIES_PER_BLOCK = 5_000_000
_SWEEPS_PER_CHECKPOINT = 5
_HISTORY_TYPES: dict[str, type] = {
    "movie_idx": np.int32,
    "preference": np.int8,
    "timestamp": np.int64,
    "split": np.int8,
}


class OnSpark(NamedTuple):
    """What was learned, in the form of `learn` and `number_rows`. The large arrays are files in the scratch folder."""

    interactions: Interactions
    preferences: csr_matrix
    learned: Learned
    engine: dict[str, Any]


def learn_on_spark(
    spark: Spark,
    files: PreparedFiles,
    manifest: Manifest,
    movies: Movies,
    settings: TrainSettings,
    scratch: Path,
    stage: Callable[[str], AbstractContextManager[object]],
    choose: Callable[[Interactions, Candidates], tuple[TrainSettings, Choice | None]],
) -> OnSpark:
    """Learn movie factors, the second opinion and user vectors from a prepared folder.

    Parameters
    ----------
    spark
        The session. It reports progress.
    files
        The prepared folder, on a file system that all executors share.
    manifest, movies
        Its manifest and its catalogue.
    settings
        How to train. The number of threads is ignored. The seed gives the same factors only with the same number of
        processors.
    scratch
        A folder for intermediate tables, on the same file system.
    stage
        Entered with the name of each stage, as in `build_model`.
    choose
        Chooses what the settings leave to the training; see `mlrec.model.learn.Choose`. It runs on this machine.

    Raises
    ------
    EmptyResultError
        If the data has no liked movie.
    IncompatibleFormatError
        If a file is missing.
    TrainingFailedError
        If a factor is not finite.
    SparkFailedError
        If a job failed.
    """
    needed = [*map(files.split, SPLITS), *([files.outside] if manifest.outside_core is not None else [])]
    if missing := [path.name for path in needed if not path.exists()]:
        raise IncompatibleFormatError(
            f"The prepared data is incomplete: {', '.join(missing)} is missing.", "Run 'mlrec prepare' again."
        )
    spark.ready_workers()
    work = _Training(spark, files, manifest, movies, settings, scratch)
    with stage("read"):
        work.number()
    n_likes = int(work.popularity[work.is_trained].sum())
    require_likes(n_likes if settings.dislikes != "as-likes" else work.n_learned)
    settings = settings.resolved(n_likes)
    with stage("fit"):
        core, trained_vectors, engine = work.fit(settings)
    with stage("movies"):
        content = catalogue_of(movies, work.movie_ids).content
        found = work.vectors_of_movies(core, content, settings)
    with stage("arrange"):
        history, preferences = work.arrange()
    interactions = Interactions(
        work.user_ids, work.movie_ids, work.is_trained, history, work.popularity, work.n_ratings
    )
    item_item, size = None, None
    if settings.second_opinion is not None:
        with stage("item_item"), blas_threads():
            item_item, size = work.item_item(settings.second_opinion)
    with stage("choose"), blas_threads():
        learned_from = history.only(settings.trained_on)
        share = recent_share(learned_from, len(work.movie_ids), settings.popularity_half_life)
        candidates = Candidates(settings, learned_from, content, found, work.is_trained, share, item_item)
        settings, item_item, choice = candidates.settled(partial(choose, interactions))
    with stage("fold_in"):
        vectors = trained_vectors if trained_vectors is not None else work.fold_in(found.vectors, settings)
        check_finite(settings, vectors)
    learned = Learned(settings, core, found, share, item_item, size, vectors, choice)
    return OnSpark(interactions, preferences, learned, engine)


def mapped_regularization(regularization: float, per_user: float, per_movie: float) -> float:
    """Spark's μ for mlrec's λ; see the docstring of this module.

    Parameters
    ----------
    regularization
        λ.
    per_user, per_movie
        n̄ of the users and n̄ of the movies.
    """
    return regularization / math.sqrt(per_user * per_movie)


class _Training:
    """One training, step by step."""

    def __init__(
        self,
        spark: Spark,
        files: PreparedFiles,
        manifest: Manifest,
        movies: Movies,
        settings: TrainSettings,
        scratch: Path,
    ) -> None:
        self._spark = spark
        self._ids = manifest.ids
        self._files = files
        self._catalogue = movies.movie_id if settings.movies == "all" else None
        self._has_outside = manifest.outside_core is not None and settings.movies == "all"
        self._scratch = scratch / "spark"
        self._trained_on = settings.trained_on
        self._learned = f"split IN ({', '.join(str(SPLITS.index(name)) for name in self._trained_on)})"

    # -- numbering ---------------------------------------------------------------------------------------------------

    def number(self) -> None:
        """Assign rows to users and movies, and write all events with these rows, ordered by user, time and movie."""
        from pyspark.sql import functions

        with self._spark.job("Numbering users and movies"):
            events = self._prepared_events()
            events.createOrReplaceTempView("events")
            sql = self._spark.session.sql
            users = sql("SELECT user_id, count(*) AS n FROM events GROUP BY user_id ORDER BY user_id").toArrow()
            movies = sql(
                "SELECT movie_id, count_if(preference > 0) AS likes, count(*) AS n, count_if(in_core) AS n_in_core"
                f" FROM events WHERE {self._learned} GROUP BY movie_id ORDER BY movie_id"
            ).toArrow()
            self.user_ids = array_of(users["user_id"].to_pylist(), self._ids.users)
            learned = array_of(movies["movie_id"].to_pylist(), self._ids.movies)
            self.movie_ids = learned if self._catalogue is None else self._catalogue
            rows = rows_of(learned, self.movie_ids)
            likes, n_ratings, n_in_core = (
                # Row −1 is a movie without events.
                np.append(movies[name].to_numpy(), 0)[rows].astype(np.int64)
                for name in ("likes", "n", "n_in_core")
            )
            self.popularity, self.n_ratings, self.is_trained = likes, n_ratings, n_in_core > 0
            self.n_learned = int(n_in_core.sum())
            self._indptr = np.concatenate([[0], np.cumsum(users["n"].to_numpy())]).astype(np.int64)
            self._register_rows("users", "user_id", self.user_ids)
            self._register_rows("movies", "movie_id", self.movie_ids)
            sql(
                """
                SELECT user_idx, coalesce(movie_idx, -1) AS movie_idx, preference, timestamp, split, in_core,
                       CAST(
                           row_number() OVER (PARTITION BY user_idx ORDER BY place, in_core, file, row) AS INT
                       ) AS position
                FROM (
                    SELECT *, coalesce(
                               n_before,
                               count_if(in_core) OVER (
                                   PARTITION BY user_idx ORDER BY NOT in_core, split, file, row ROWS UNBOUNDED PRECEDING
                               ) - 1
                           ) AS place
                    FROM (
                        SELECT /*+ REPARTITION_BY_RANGE(user_idx) */
                               CAST(users.idx AS INT) AS user_idx, CAST(movies.idx AS INT) AS movie_idx,
                               preference, timestamp, split, in_core, n_before, file, row
                        FROM events JOIN users USING (user_id) LEFT JOIN movies USING (movie_id)
                    )
                )
                """
            ).write.parquet(uri(self._scratch / "numbered"))
            numbered = self._spark.read_parquet(self._scratch / "numbered")
            self._known = numbered.where(functions.expr(self._learned))

    def _prepared_events(self) -> DataFrame:
        """The events of all splits, and of their users outside the core, each with the number of its split.

        `n_before` is the place of an event outside the core: the number of the user's events in the core before it.
        """
        from pyspark.sql import functions

        parts = [
            self._spark.read_parquet(self._files.split(name)).select(
                functions.col("user_id").cast(_SQL_TYPES[self._ids.users]),
                functions.col("movie_id").cast(_SQL_TYPES[self._ids.movies]),
                functions.col("preference").cast("tinyint"),
                functions.col("timestamp").cast("bigint"),
                functions.lit(number).cast("tinyint").alias("split"),
                functions.lit(True).alias("in_core"),
                functions.lit(None).cast("bigint").alias("n_before"),
                # The rows of a user are in order in one part file. Their times alone may not tell the order.
                functions.col("_metadata.file_name").alias("file"),
                functions.col("_metadata.row_index").alias("row"),
            )
            for number, name in enumerate(SPLITS)
        ]
        core = parts[0].unionAll(parts[1]).unionAll(parts[2])
        if not self._has_outside:
            return core
        number_of = functions.create_map(
            *(functions.lit(value) for number, name in enumerate(SPLITS) for value in (name, number))
        )
        outside = self._spark.read_parquet(self._files.outside).select(
            functions.col("user_id").cast(_SQL_TYPES[self._ids.users]),
            functions.col("movie_id").cast(_SQL_TYPES[self._ids.movies]),
            functions.col("preference").cast("tinyint"),
            functions.col("timestamp").cast("bigint"),
            number_of[functions.col("split")].cast("tinyint").alias("split"),
            functions.lit(False).alias("in_core"),
            functions.col("position").cast("bigint").alias("n_before"),
            functions.col("_metadata.file_name").alias("file"),
            functions.col("_metadata.row_index").alias("row"),
        )
        return core.unionAll(outside.join(core.select("user_id").distinct(), "user_id", "left_semi"))

    def _register_rows(self, name: str, column: str, ids: IdArray) -> None:
        """Register a table of ids and their rows with Spark."""
        import pyarrow as pa
        from pyarrow import parquet

        self._scratch.mkdir(exist_ok=True)
        path = self._scratch / f"{name}.parquet"
        parquet.write_table(pa.table({column: public(ids), "idx": np.arange(len(ids))}), path)
        self._spark.read_parquet(path).createOrReplaceTempView(name)

    # -- learning ----------------------------------------------------------------------------------------------------

    def fit(self, settings: TrainSettings) -> tuple[Core, NDArray[np.float32] | None, dict[str, Any]]:
        """What ALS has learned, its user vectors if the settings ask for them, and the parameters given to Spark."""
        from pyspark.ml.recommendation import ALS
        from pyspark.sql import functions

        context = self._spark.session.sparkContext
        with self._spark.job("Training"):
            context.setCheckpointDir(uri(self._scratch / "checkpoints"))
            entries = self._known.where("in_core").select(
                "user_idx", "movie_idx", functions.expr(_RATINGS[settings.dislikes]).cast("float").alias("rating")
            )
            if settings.dislikes == "ignore":
                entries = entries.where("rating > 0")
            positive, per_user, per_movie = self._entries_per_row(entries)
            blocks = max(2, context.defaultParallelism, positive // _ENTRIES_PER_BLOCK)
            als = ALS(
                rank=settings.factors,
                maxIter=settings.sweeps,
                regParam=mapped_regularization(settings.fold_in.regularization, per_user, per_movie),
                alpha=settings.alpha,
                implicitPrefs=True,
                numUserBlocks=blocks,
                numItemBlocks=blocks,
                seed=settings.random_seed,
                checkpointInterval=_SWEEPS_PER_CHECKPOINT,
                coldStartStrategy="drop",
                userCol="user_idx",
                itemCol="movie_idx",
                ratingCol="rating",
            )
            model = als.fit(entries)
            scale = np.float32(math.sqrt(math.sqrt(per_movie / per_user)))
            movies = self._factors(model.itemFactors, len(self.movie_ids), settings.factors) * scale
            gram = self._gram(model.userFactors, settings.factors) / float(scale) ** 2
            users = None
            if settings.user_vectors == "trained":
                users = self._factors(model.userFactors, len(self.user_ids), settings.factors) / scale
        check_finite(settings, movies)
        engine = {
            "name": "spark",
            "version": self._spark.session.version,
            "master": self._spark.settings.master,
            "regParam": als.getRegParam(),
            "blocks": blocks,
            "movie_factors_times": float(scale),
        }
        return Core(movies, self.is_trained, gram), users, engine

    def _gram(self, rows: DataFrame, n_factors: int) -> NDArray[np.float64]:
        """The sum of f fᵀ over all factors f, float64 (factors, factors)."""
        parts = rows.select("features").mapInArrow(gram_matrix, GRAM).toArrow()["gram"].to_pylist()
        total: NDArray[np.float64] = np.zeros((n_factors, n_factors))
        for part in parts:
            total += np.frombuffer(part, "<f8").reshape(n_factors, n_factors)
        return total

    def vectors_of_movies(self, core: Core, content: Content, settings: TrainSettings) -> MovieVectors:
        """Vectors of all movies. Users are folded in on the executors; the few opinions of other movies come here."""
        rule = rule_of_training(settings)
        with self._spark.job("Folding in movies"):
            columns = ("user_idx", "movie_idx", "preference")
            outside = self._known.where("NOT in_core AND movie_idx >= 0").select(*columns).toArrow()
            user, movie, preference = (outside[name].to_numpy() for name in columns)
            opinions = OpinionsByMovie.of(user, movie, preference, len(self.movie_ids), rule)
            X = np.zeros((len(opinions.users), settings.factors), dtype=np.float32)
            if len(opinions.users):
                needed = outside.select(["user_idx"]).group_by("user_idx").aggregate([])
                known = self._known.where("in_core").join(
                    self._spark.session.createDataFrame(needed), "user_idx", "left_semi"
                )
                for rows, vectors in self._solved(known, "outside", core.movie_factors, rule):
                    position = np.minimum(np.searchsorted(opinions.users, rows), len(opinions.users) - 1)
                    is_needed = opinions.users[position] == rows
                    X[position[is_needed]] = vectors[is_needed]
        movies = movie_vectors(core, opinions, X, self.popularity, content, rule)
        check_finite(settings, movies.vectors)
        return movies

    def item_item(self, rule: ItemItemSettings) -> tuple[ItemItem, ItemItemSize]:
        """Learn the second opinion: Spark counts the pairs of likes, and this machine solves for the weights."""
        import pyarrow as pa
        from pyarrow import parquet

        chosen = ChosenMovies.of(np.where(self.is_trained, self.popularity, 0))
        table = pa.table({"movie_idx": pa.array(chosen.movies, pa.int32()), "column": np.arange(len(chosen.movies))})
        with self._spark.job("Counting pairs of likes"):
            self._known.where("in_core AND preference > 0").createOrReplaceTempView("likes")
            self._spark.session.createDataFrame(table).createOrReplaceTempView("chosen_movies")
            sql = self._spark.session.sql
            sql(
                "SELECT /*+ BROADCAST(chosen_movies) */ user_idx, CAST(column AS INT) AS column, position"
                " FROM likes JOIN chosen_movies USING (movie_idx)"
            ).createOrReplaceTempView("chosen_likes")
            per_user = sql("SELECT count(*) AS n FROM chosen_likes GROUP BY user_idx").toArrow()["n"].to_numpy()
            limit = likes_per_user(per_user)
            newest = "1" if limit is None else "row_number() OVER (PARTITION BY user_idx ORDER BY position DESC)"
            sql(
                f"SELECT user_idx, column FROM (SELECT user_idx, column, {newest} AS place FROM chosen_likes)"
                f" WHERE place <= {limit or 1}"
            ).createOrReplaceTempView("newest_likes")
            folder = self._scratch / "pairs"
            sql(
                "SELECT a.column AS one, b.column AS other, count(*) AS n FROM newest_likes a JOIN newest_likes b"
                " ON a.user_idx = b.user_idx AND a.column >= b.column GROUP BY 1, 2"
            ).write.parquet(uri(folder))
        G = np.zeros((len(chosen.movies), len(chosen.movies)), dtype=np.float32)
        for part in _parts(folder):
            pairs = parquet.read_table(part)
            one, other, n = (pairs[name].to_numpy() for name in ("one", "other", "n"))
            G[one, other] = G[other, one] = n
        n_likes = int(per_user.sum() if limit is None else np.minimum(per_user, limit).sum())
        return weights_of(G, n_likes, chosen, limit, rule, available_threads(), self._spark.progress)

    def _entries_per_row(self, entries: DataFrame) -> tuple[int, float, float]:
        """The number of positive entries, n̄ of the users and n̄ of the movies."""
        found = []
        for column in ("user_idx", "movie_idx"):
            rows = entries.where("rating > 0").groupBy(column).count()
            total = rows.selectExpr("sum(count) AS n", "sum(double(count) * count) / sum(count) AS mean").first()
            assert total is not None
            found.append((int(total["n"]), float(total["mean"])))
        (n, per_user), (_, per_movie) = found
        return n, per_user, per_movie

    def _factors(self, rows: DataFrame, n_rows: int, n_factors: int) -> NDArray[np.float32]:
        """Factors by row; zeros for rows that ALS returned no factors for."""
        table = rows.toArrow()
        factors = np.zeros((n_rows, n_factors), dtype=np.float32)
        values = table["features"].combine_chunks().flatten().to_numpy()
        factors[table["id"].to_numpy()] = values.reshape(-1, n_factors)
        return factors

    def fold_in(self, movie_factors: NDArray[np.float32], settings: TrainSettings) -> NDArray[np.float32]:
        """The exact vectors of all users, float32 (users, factors), solved on the executors."""
        vectors = self._mapped("user_vectors", np.float32, (len(self.user_ids), settings.factors))
        with self._spark.job("Folding in users"):
            for rows, found in self._solved(self._known, "vectors", movie_factors, settings.fold_in):
                vectors[rows] = found
        return vectors

    def _solved(
        self, events: DataFrame, name: str, movie_factors: NDArray[np.float32], rule: FoldInSettings
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """Fold in users on the executors. Yields rows of users and their vectors, one part file at a time."""
        from pyarrow import parquet

        context = self._spark.session.sparkContext
        folder = self._scratch / name
        solve = user_vectors(context.broadcast(movie_factors), rule, self.is_trained)
        (
            events.repartition("user_idx")
            .sortWithinPartitions("user_idx", "position")
            .select("user_idx", "movie_idx", "preference")
            .mapInArrow(solve, VECTORS)
            .write.parquet(uri(folder))
        )
        for part in _parts(folder):
            table = parquet.read_table(part)
            rows = table["user_idx"].to_numpy()
            yield rows, np.frombuffer(b"".join(table["vector"].to_pylist()), "<f4").reshape(len(rows), -1)

    # -- collecting on this machine ----------------------------------------------------------------------------------

    def arrange(self) -> tuple[History, csr_matrix]:
        """Each user's history and the matrix of learned preferences, built from one part file at a time."""
        from scipy import sparse

        n_events, n_users = int(self._indptr[-1]), len(self.user_ids)
        columns: dict[str, Any] = {
            name: self._mapped(f"history_{name}", dtype, (n_events,)) for name, dtype in _HISTORY_TYPES.items()
        }
        data = self._mapped("matrix_data", np.float32, (self.n_learned,))
        indices = self._mapped("matrix_indices", np.int32, (self.n_learned,))
        per_user = np.zeros(n_users, dtype=np.int64)
        done = filled = 0
        with self._spark.progress.task("Arranging", n_users, "users") as task:
            for users, part in self._numbered_parts():
                end = done + int(part.indptr[-1])
                if not np.array_equal(self._indptr[users[0] : users[-1] + 2] - done, part.indptr):
                    raise IncompatibleFormatError(
                        f"The prepared data changed while it was read: {self._files.root}.",
                        "Run 'mlrec train' again.",
                    )
                for name, column in columns.items():
                    column[done:end] = getattr(part, name)
                learned = part.only(self._trained_on).on(self.is_trained)
                matrix = signed_matrix(learned, len(self.movie_ids))
                data[filled : filled + matrix.nnz] = matrix.data
                indices[filled : filled + matrix.nnz] = matrix.indices
                per_user[users] = np.diff(matrix.indptr)
                done, filled = end, filled + matrix.nnz
                task.advance(len(users))
        indptr = np.concatenate([[0], np.cumsum(per_user)])
        matrix = sparse.csr_matrix((data, indices, indptr), shape=(n_users, len(self.movie_ids)))
        return History(self._indptr, **columns), matrix

    def _numbered_parts(self) -> Iterator[tuple[NDArray[np.int64], History]]:
        """For each part file, the rows of its users and their history."""
        from pyarrow import parquet

        for path in _parts(self._scratch / "numbered"):
            table = parquet.read_table(path)
            if not len(table):
                continue
            rows = table["user_idx"].to_numpy()
            starts = run_starts(rows)
            columns = {name: table[name].to_numpy() for name in _HISTORY_TYPES}
            yield rows[starts].astype(np.int64), History(np.append(starts, len(rows)), **columns)

    def _mapped(self, name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of zeros in a file of the scratch folder, so that its pages need not stay in memory."""
        path = self._scratch / f"{name}.npy"
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _parts(folder: Path) -> list[Path]:
    """The part files of a folder, in order."""
    return [folder / name for name in sorted(os.listdir(folder)) if name.endswith(".parquet")]  # noqa: PTH208
