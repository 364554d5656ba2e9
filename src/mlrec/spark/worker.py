"""Code that runs in the Python of Spark's executors: only numpy, Arrow and mlrec's own pure computation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mlrec.ranking.fold_in import FoldIn
from mlrec.ranking.runs import run_starts
from mlrec.settings import FoldInSettings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import Broadcast

EVENTS = ("user_idx", "movie_idx", "preference")
VECTORS = "user_idx INT, vector BINARY"
GRAM = "gram BINARY"


def versions(_: object) -> tuple[str, ...]:
    """Versions of the packages needed here: numpy, Arrow, and pandas, which PySpark requires to return Arrow."""
    import pandas
    import pyarrow

    return np.__version__, pyarrow.__version__, pandas.__version__


def gram_matrix(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Sum f fᵀ over the vectors f in a column "features"; a partition gives one row of float64 (factors, factors)."""
    import pyarrow as pa

    total: NDArray[np.float64] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        values = batch.column("features").flatten().to_numpy(zero_copy_only=False).astype(np.float64)
        factors = values.reshape(batch.num_rows, -1)
        own = factors.T @ factors
        total = own if total is None else total + own
    if total is not None:
        yield pa.RecordBatch.from_arrays([pa.array([total.tobytes()], pa.binary())], names=["gram"])


def user_vectors(
    movie_factors: Broadcast[NDArray[np.float32]], settings: FoldInSettings, is_trained: NDArray[np.bool_] | None = None
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A function for `mapInArrow` that turns events into the exact vectors of their users.

    It takes batches with the columns `EVENTS`, in which each user's events are adjacent and in time order. It returns
    batches with the columns `VECTORS`, each vector as the bytes of float32 (factors,).
    """

    def solve(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        fold_in = FoldIn(movie_factors.value, settings, is_trained)
        kept: dict[str, NDArray[Any]] | None = None
        for batch in batches:
            events = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in EVENTS}
            if kept is not None:
                events = {name: np.concatenate([kept[name], events[name]]) for name in EVENTS}
            # The events of a batch's last user may continue in the next batch.
            users = events["user_idx"]
            end = int(np.searchsorted(users == users[-1], True)) if len(users) else 0
            if end:
                yield _solved(fold_in, {name: column[:end] for name, column in events.items()})
            kept = {name: column[end:] for name, column in events.items()}
        if kept is not None and len(kept["user_idx"]):
            yield _solved(fold_in, kept)

    return solve


def _solved(fold_in: FoldIn, events: dict[str, NDArray[Any]]) -> pa.RecordBatch:
    """The vectors of all users in some events."""
    import pyarrow as pa

    users = events["user_idx"]
    starts = run_starts(users)
    vectors = fold_in.user_vectors(np.append(starts, len(users)), events["movie_idx"], events["preference"])
    rows = [vector.tobytes() for vector in vectors]
    return pa.RecordBatch.from_arrays(
        [pa.array(users[starts], pa.int32()), pa.array(rows, pa.binary())], names=["user_idx", "vector"]
    )
