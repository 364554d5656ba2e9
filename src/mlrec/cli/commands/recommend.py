"""mlrec recommend: the best movies for a user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import render
from mlrec.cli.options import DATA_DIR_DEFAULT, TOP_N, AsJson, DataDir, ListLength, examples

if TYPE_CHECKING:
    from mlrec.serving.results import Recommendation

EXAMPLES = examples(
    "mlrec recommend --user 42",
    "mlrec recommend --user 42 -n 5 --genre Comedy --years 1980-1999",
)


def recommend(
    user: Annotated[int, typer.Option("--user", "-u", help="User id; anybody unknown gets the popular movies.")],
    n: ListLength = TOP_N,
    genre: Annotated[
        list[str] | None, typer.Option(help="Only movies of this genre; may be given several times.")
    ] = None,
    years: Annotated[
        str | None,
        typer.Option(metavar="FIRST-LAST", help="Only movies of these years: 1990-1999, 1990- or 1990."),
    ] = None,
    exclude: Annotated[
        list[int] | None, typer.Option(help="Leave out this movie id; may be given several times.")
    ] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also list movies that the user has rated.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Recommend movies to a user."""
    span = _years(years)
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir) as recommender:
        items = recommender.get_top_n(
            user, n, genres=genre or None, years=span, exclude=exclude or (), include_seen=include_seen
        )
        known, model_id = recommender.knows_user(user), recommender.model_id
    if as_json:
        render.print_json({"user_id": user, "model_id": model_id, "items": [item.to_json() for item in items]})
        return
    if not known:
        render.warn(f"The model knows no taste of user {user}: these are the most popular movies.")
    show(items, f"For user {user}", "score" if known else "likes")


def show(items: Sequence[Recommendation], title: str, score_name: str) -> None:
    """Render a ranked list."""
    columns = ["#rank", "title", "year", "genres", f"#{score_name}", "#id"]
    rows: list[tuple[object, ...]] = [
        (
            item.rank,
            item.title,
            item.year or "",
            ", ".join(item.genres),
            f"{item.score:,.0f}" if item.source == "popular" else f"{item.score:.3f}",
            item.movie_id,
        )
        for item in items
    ]
    if render.is_narrow():
        columns, rows = ["#rank", "title", "year", f"#{score_name}"], [(*row[:3], row[4]) for row in rows]
    render.table(columns, rows, title=title)
    if not items:
        render.note("No movie is left to show.")


def _years(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{4})?(-)?(\d{4})?", text.strip())
    if not match or not (match[1] or match[3]):
        raise typer.BadParameter(f"'{text}' is no span of years such as 1990-1999.", param_hint="--years")
    first = int(match[1]) if match[1] else 0
    last = int(match[3]) if match[3] else 9999 if match[2] else first
    if first > last:
        raise typer.BadParameter(f"'{text}' ends before it begins.", param_hint="--years")
    return first, last
