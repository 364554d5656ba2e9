"""mlrec similar: the movies most similar to a movie."""

from typing import Annotated

import typer

from mlrec.cli import render
from mlrec.cli.commands.recommend import show
from mlrec.cli.options import DATA_DIR_DEFAULT, TOP_N, AsJson, DataDir, ListLength, examples

EXAMPLES = examples(
    'mlrec similar "Toy Story"',
    "mlrec similar 1 -n 5",
    'mlrec similar "Hamlet (1996)"',
)


def similar(
    movie: Annotated[str, typer.Argument(help="Movie id or title. The title need not be exact.")],
    n: ListLength = TOP_N,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """List the movies most similar to a movie, by their vectors and by which movies are liked together."""
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir) as recommender:
        meant = recommender.find_movie(movie)
        items = recommender.similar_movies(meant.movie_id, n)
        model_id = recommender.model_id
    if as_json:
        render.print_json(
            {
                "movie_id": meant.movie_id,
                "title": meant.title,
                "model_id": model_id,
                "items": [item.to_json() for item in items],
            }
        )
    else:
        show(items, f"Similar to {meant.label}", "similarity")
