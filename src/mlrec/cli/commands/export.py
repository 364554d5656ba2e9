"""mlrec export: the vectors of a model as files for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, ModelId, StoreName, examples
from mlrec.cli.progress import progress
from mlrec.plurals import counted
from mlrec.settings import DEFAULT_VECTOR_FORMAT, VectorFormat

EXAMPLES = examples(
    "mlrec export",
    "mlrec export --format npy --output vectors",
    "mlrec export --format csv --model 20261124T233706-als-1ab7 --output vectors --force",
)


def export(
    file_format: Annotated[
        VectorFormat,
        typer.Option("--format", help="Parquet with the vector as one column, NumPy arrays, or CSV."),
    ] = DEFAULT_VECTOR_FORMAT,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FOLDER",
            help="Folder to write.",
            show_default="vectors/MODEL in the data directory",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace vectors that were exported there before.")] = False,
    model: ModelId = None,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Write the vectors of a model to files: ids, vectors and titles.

    The inner product of a user's and a movie's vector is one part of the movie's score for that user. The other part
    comes from item-item weights, which a model trained with '--item-item off' does not have. For users with fewer than
    20 opinions, serving also mixes in popularity.

    parquet: movies.parquet (movie_id, title, year, genres, origin, ratings, vector) and users.parquet
    (user_id, vector).

    npy: movie_vectors.npy and user_vectors.npy, float32 with one row per id, as FAISS takes them. movie_ids.npy and
    user_ids.npy have the ids of the rows, and movies.csv the titles.

    csv: movies.csv and users.csv, with the vector in the columns factor_0, factor_1 and so on.

    User vectors are those saved with the model: swipes that it has not learned from are not in them. Forgotten users
    are left out. Only the owner can read the files about users.
    """
    from mlrec.export import export_vectors

    result = export_vectors(
        data_dir, output, file_format=file_format, model_id=model, store=store, force=force, progress=progress()
    )
    if as_json:
        render.print_json(result.to_json())
        return
    what = f"{counted(result.movies, 'movie')} and {counted(result.users, 'user')}, {result.factors} factors each"
    render.line(f"Exported the vectors of {what}, of model {result.model_id}.")
    render.line(f"They are in {result.folder}: {', '.join(result.files)}.")
    if result.users_left_out:
        render.line(f"Forgotten users left out: {result.users_left_out:,}.")
