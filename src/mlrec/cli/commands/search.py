"""mlrec search: find movies by title."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, TOP_N, AsJson, DataDir, ListLength, examples

if TYPE_CHECKING:
    from mlrec.serving.results import Movie

EXAMPLES = examples(
    "mlrec search matrix",
    'mlrec search "lord of the rings" -n 3',
    "mlrec search amelie",
)


def search(
    text: Annotated[str, typer.Argument(help="Words of the title. Case, accents and punctuation do not matter.")],
    n: ListLength = TOP_N,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Find movies by title, among all movies of the data.

    The exit code is 0 even if no title matches. With --json, "items" is then empty.
    """
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir) as recommender:
        movies = recommender.search(text, n)
        near = [] if movies else recommender.near_titles(text, n)
        model_id = recommender.model_id
    if as_json:
        render.print_json({"query": text, "model_id": model_id, "items": [movie.to_json() for movie in movies]})
        return
    if not movies:
        render.line(f"No title matches '{text}'." + (" Similar titles:" if near else " Try one word of the title."))
    if movies or near:
        _show(movies or near)


def _show(movies: "list[Movie]") -> None:
    columns = [
        render.id_heading("id", (movie.movie_id for movie in movies)),
        "title",
        "year",
        "genres",
        "#ratings",
        "#likes",
    ]
    rows = [
        (
            movie.movie_id,
            movie.title,
            movie.year or "",
            ", ".join(movie.genres),
            "" if movie.ratings is None else f"{movie.ratings:,}",
            f"{movie.likes:,}",
        )
        for movie in movies
    ]
    kept = [0, 1, 2] if render.is_narrow() else range(len(columns))
    render.table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])
