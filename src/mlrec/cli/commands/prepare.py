"""mlrec prepare: turn raw ratings into the prepared folder."""

from typing import TYPE_CHECKING, Annotated

import typer

from mlrec.cli import reading, render
from mlrec.cli.engine import Engine, SparkConf, SparkMaster, opened
from mlrec.cli.options import DATA_DIR_DEFAULT, AsJson, DataDir, StoreName, Threads, examples
from mlrec.cli.progress import progress
from mlrec.plurals import counted
from mlrec.settings import DEFAULT_ENGINE, PrepareSettings, SplitKind, TieRule

if TYPE_CHECKING:
    from mlrec.pipeline import PrepareResult

EXAMPLES = examples(
    "mlrec prepare",
    "mlrec prepare --min-user-ratings 1",
    "mlrec prepare --raw ~/Downloads/ml-1m.zip",
    "mlrec prepare --ratings ~/Downloads/rating.csv --movies ~/Downloads/anime.csv",
    "mlrec prepare --ratings log.tsv.gz --columns user=1,movie=2,rating=3,time=4",
    "mlrec prepare --split global-time",
    "mlrec prepare --with-swipes",
    "mlrec prepare --engine spark --spark-master spark://host:7077 --data-dir /shared/mlrec",
)
_DEFAULTS = PrepareSettings()


Raw = Annotated[
    str | None,
    typer.Option(
        "--raw",
        metavar="PATH",
        help="Folder or archive (zip, tar) with the raw files, instead of raw/ in the data directory. With --engine"
        " spark, also hdfs://…, s3a://… or any other path that Spark reads.",
    ),
]
Split = Annotated[
    SplitKind,
    typer.Option(
        "--split",
        help="Split each user's own history by time (user-time), or all histories at the same two moments"
        " (global-time).",
    ),
]
Ties = Annotated[
    TieRule,
    typer.Option(
        "--ties",
        help="How to order a user's events of the same time if the split cuts between them: by movie id or at random."
        " Use random if the times are coarse, such as days.",
    ),
]
MinUserRatings = Annotated[int, typer.Option(metavar="N", min=1, help="Drop users with fewer ratings.")]
MinMovieRatings = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, help="Movies with fewer ratings are left out of the core. They still get vectors."
    ),
]
WithSwipes = Annotated[
    bool,
    typer.Option(
        "--with-swipes",
        help="Merge the swipes in the store into the ratings. A swipe replaces earlier opinions on the movie. The"
        " newest fifth of each user's events is held out for evaluation. To train on all events, use 'mlrec run --final"
        " --with-swipes'.",
    ),
]


def prepare(
    raw: Raw = None,
    ratings: reading.Ratings = None,
    movies: reading.Movies = None,
    links: reading.Links = None,
    columns: reading.Columns = None,
    separator: reading.Separator = _DEFAULTS.separator,
    encoding: reading.Encoding = _DEFAULTS.encoding,
    scale: reading.Scale = None,
    unrated: reading.Unrated = PrepareSettings.unrated,
    implicit: reading.Implicit = PrepareSettings.implicit,
    strong_from: reading.StrongFrom = PrepareSettings.strong_from,
    user_ids: reading.UserIds = PrepareSettings.user_ids,
    movie_ids: reading.MovieIds = PrepareSettings.movie_ids,
    time_format: reading.TimeFormat = PrepareSettings.time_format,
    timezone: reading.TimeZone = PrepareSettings.timezone,
    no_time: reading.NoTime = PrepareSettings.no_time,
    with_swipes: WithSwipes = False,
    min_user_ratings: MinUserRatings = _DEFAULTS.min_user_ratings,
    min_movie_ratings: MinMovieRatings = _DEFAULTS.min_movie_ratings,
    cut_points: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar="X X X",
            help="Highest ratings that become preference −2, −1 and +1; higher ones become +2. Without it: 2.5, 3.5 and"
            " 4.5 of five stars, and the same shares of other scales.",
            show_default=False,
        ),
    ] = _DEFAULTS.cut_points,
    split: Split = _DEFAULTS.split,
    split_ratio: Annotated[
        tuple[int, int, int], typer.Option(metavar="N N N", help="Ratio of train, validation and test.")
    ] = _DEFAULTS.split_ratio,
    ties: Ties = _DEFAULTS.ties,
    random_seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed for --ties random and --no-time random.")
    ] = _DEFAULTS.random_seed,
    user_offset: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Number to add to every user id that is a whole number, to keep the ids apart from your own"
            " application's.",
        ),
    ] = _DEFAULTS.user_offset,
    user_prefix: reading.UserPrefix = _DEFAULTS.user_prefix,
    max_reject_share: Annotated[
        float, typer.Option(metavar="X", min=0, max=1, help="Stop if more than this share of a file's rows is bad.")
    ] = _DEFAULTS.max_reject_share,
    memory_limit: Annotated[
        str, typer.Option(metavar="SIZE", help="Memory that DuckDB may use before it spills to disk.")
    ] = _DEFAULTS.memory_limit,
    threads: Threads = _DEFAULTS.threads,
    engine: Engine = DEFAULT_ENGINE,
    spark_master: SparkMaster = None,
    spark_conf: SparkConf = None,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Turn ratings into preferences, find the core to train on, and split by time.

    The input is ratings.csv and movies.csv, the files of any MovieLens edition, or files of your own: see docs/data.md.
    Rows that cannot be used are listed in prepared/rejects.csv with the reason. Users who are forgotten in the store
    are left out, with or without --with-swipes. Both engines produce the same rows.
    """
    from mlrec.pipeline import prepare as run
    from mlrec.workspace import Workspace

    settings = PrepareSettings(
        columns=reading.columns_of(columns),
        separator=separator,
        encoding=encoding,
        scale=reading.scale_of(scale),
        unrated=unrated,
        implicit=implicit,
        strong_from=strong_from,
        user_ids=user_ids,
        movie_ids=movie_ids,
        time_format=time_format,
        timezone=timezone,
        no_time=no_time,
        user_prefix=user_prefix,
        min_user_ratings=min_user_ratings,
        min_movie_ratings=min_movie_ratings,
        cut_points=cut_points,
        split=split,
        split_ratio=split_ratio,
        ties=ties,
        random_seed=random_seed,
        user_offset=user_offset,
        max_reject_share=max_reject_share,
        memory_limit=memory_limit,
        threads=threads,
    )
    workspace, bar = Workspace(data_dir), progress()
    with opened(engine, spark_master, spark_conf, workspace, bar) as spark:
        result = run(
            workspace,
            settings,
            raw=raw,
            ratings=ratings,
            movies=movies,
            links=links,
            with_swipes=with_swipes,
            store=store,
            spark=spark,
            progress=bar,
        )
    if as_json:
        render.print_json(result.to_json())
    else:
        show(result)
    warn(result)


def warn(result: "PrepareResult") -> None:
    """Render the warnings of a preparation."""
    for warning in result.warnings:
        render.warn(f"Warning: {warning}")


def show(result: "PrepareResult") -> None:
    """Render the counts of a preparation."""
    manifest = result.manifest
    if manifest.reading.columns:
        render.line(manifest.reading.summary(manifest.ids))
    render.table(
        ["step", "#ratings", "#users", "#movies"],
        [(step.name, f"{step.ratings:,}", f"{step.users:,}", f"{step.movies:,}") for step in manifest.steps],
    )
    splits = ", ".join(f"{name} {count:,}" for name, count in manifest.splits.items())
    render.line(f"Prepared in {result.folder}: {splits}.")
    if swipes := manifest.swipes:
        render.line(
            f"Swipes: merged {swipes.merged:,}, skips {swipes.skips:,},"
            f" older than a rating of the same movie {swipes.outdated:,}."
        )
    if unmerged := result.unmerged_swipes:
        render.note(
            f"The store has {counted(unmerged, 'swipe')} that {'is' if unmerged == 1 else 'are'} not merged. To merge"
            " swipes into the ratings, add --with-swipes."
        )
    if unrated := manifest.reading.unrated:
        render.line(
            f"{counted(unrated, 'row')} {'says' if unrated == 1 else 'say'} that a movie was seen, without a rating."
        )
    if strong_from := manifest.reading.strong_from:
        render.line(f"Interactions count as +1, and as +2 from a sum of {strong_from:g} on.")
    if rejects := manifest.rejects.rows:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in manifest.rejects.by_reason.items())
        render.warn(f"{rejects:,} bad rows were left out ({reasons}). See {result.folder / 'rejects.csv'}")
