"""mlrec recommend: the best movies for a user, a visitor or all users."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrec.cli import cards, render
from mlrec.cli.list_options import (
    Diversity,
    Exclude,
    FilterOptions,
    Genres,
    IncludeSeen,
    MaxPerGenre,
    NotGenres,
    Only,
    SeenOnly,
    Years,
)
from mlrec.cli.options import (
    DATA_DIR_DEFAULT,
    TOP_N,
    AsJson,
    DataDir,
    ListLength,
    StoreName,
    UsageError,
    examples,
)
from mlrec.cli.progress import progress
from mlrec.cli.public_ids import parse_id
from mlrec.errors import in_shell
from mlrec.plurals import counted
from mlrec.settings import DEFAULT_GROUP_RULE, GroupRule, ServeSettings, UpdateRule

if TYPE_CHECKING:
    from mlrec.ids import PublicId
    from mlrec.serving.list_filters import ListFilters
    from mlrec.serving.recommender import Recommender
    from mlrec.serving.result_list import ResultList
    from mlrec.serving.results import Explanation, GroupRecommendation, MemberOpinion, Movie, Recommendation

EXAMPLES = examples(
    "mlrec recommend --user 42",
    "mlrec recommend --user 42 --user 7 --explain",
    "mlrec recommend --user 42 -n 5 --genre Comedy --years 1980-1999 --explain",
    'mlrec recommend --like "Toy Story" --like 260 --dislike 3',
    "mlrec recommend --user 42 --only watchlist.txt --max-per-genre 3",
    "mlrec recommend --user 42 --seen-only --not-genre Horror",
    "mlrec recommend --all-users --out recs.parquet",
)


Rule = Annotated[
    UpdateRule,
    typer.Option(
        "--rule", help="How swipes update the user's vector: by an exact solve, or by gradient steps (the baseline)."
    ),
]


def recommend(
    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            "-u",
            metavar="ID",
            help="User id. Unknown users get popular movies. Repeat it for people who want to watch a movie together.",
        ),
    ] = None,
    group_rule: Annotated[
        GroupRule,
        typer.Option(
            help="How the scores of several users become one: the geometric mean (multiplicative), the mean, or the"
            " lowest."
        ),
    ] = DEFAULT_GROUP_RULE,
    like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MOVIE",
            help="Recommend to a visitor who likes this movie (id or title). Repeatable. Nothing is stored.",
        ),
    ] = None,
    dislike: Annotated[
        list[str] | None,
        typer.Option(metavar="MOVIE", help="A movie that the visitor dislikes (id or title). Repeatable."),
    ] = None,
    all_users: Annotated[
        bool,
        typer.Option(
            "--all-users", help="Write the lists of all users to a file, to serve them later. Requires --out."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File to write: .parquet or .csv. Requires --all-users.", dir_okay=False),
    ] = None,
    n: ListLength = TOP_N,
    genre: Genres = None,
    not_genre: NotGenres = None,
    years: Years = None,
    only: Only = None,
    exclude: Exclude = None,
    max_per_genre: MaxPerGenre = None,
    include_seen: IncludeSeen = False,
    seen_only: SeenOnly = False,
    diversity: Diversity = 0.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which liked movies contribute most to each recommendation.")
    ] = False,
    rule: Rule = ServeSettings.rule,
    store: StoreName = None,
    as_json: AsJson = False,
    data_dir: DataDir = DATA_DIR_DEFAULT,
) -> None:
    """Recommend movies to a user, to several users who want to watch one together, to a visitor without an account
    (--like), or to all users (--all-users).

    For several users, movies that any of them has seen or dislikes are left out.
    """
    likes, dislikes = like or [], dislike or []
    _check_usage(bool(user), bool(likes or dislikes), all_users, out, explain)
    if group_rule != DEFAULT_GROUP_RULE and len(user or ()) < 2:
        raise UsageError("--group-rule requires at least two --user.")
    options = FilterOptions(genre, not_genre, years, only, exclude, include_seen, seen_only, max_per_genre, diversity)
    from mlrec.serving.recommender import Recommender

    with Recommender.open(data_dir, store=store, settings=ServeSettings(rule=rule)) as recommender:
        filters = options.read(recommender)
        if out is not None:
            _write_all(recommender, n, filters, out, as_json)
        elif user and len(user) > 1:
            people = [parse_id(text, "user", recommender.user_id_kind) for text in user]
            picks = recommender.get_top_n_for(people, n, rule=group_rule, filters=filters)
            why = _why_empty(picks, options)
            _show_group(recommender, picks, list(dict.fromkeys(people)), group_rule, explain, as_json, why)
        elif user:
            user_id = parse_id(user[0], "user", recommender.user_id_kind)
            items = recommender.get_top_n(user_id, n, filters=filters)
            reasons = [recommender.explain(user_id, item.movie_id) for item in items] if explain else None
            why_empty = _why_empty(items, options)
            _show(
                recommender, {"user_id": user_id}, f"For user {in_shell(user_id)}", items, reasons, as_json, why_empty
            )
            if items and not as_json and not recommender.knows_user(user_id):
                why = "is forgotten" if recommender.is_forgotten(user_id) else "has no likes that the model knows"
                spread = "" if by_score(items) else ", spread over genres, so their scores are not in order"
                render.warn(f"User {in_shell(user_id)} {why}. These are popular movies{spread}.")
        else:
            liked, disliked = ([recommender.find_movie(text) for text in texts] for texts in (likes, dislikes))
            like_ids, dislike_ids = ([movie.movie_id for movie in movies] for movies in (liked, disliked))
            items = recommender.recommend_for(like_ids, dislike_ids, n, filters=filters)
            reasons = None
            if explain:
                reasons = [recommender.explain_for(item.movie_id, like_ids, dislike_ids) for item in items]
            who = {"user_id": None, "likes": like_ids, "dislikes": dislike_ids}
            echo = [f"likes {movie.label}" for movie in liked] + [f"dislikes {movie.label}" for movie in disliked]
            title, why_empty = f"For a visitor who {', '.join(echo)}", _why_empty(items, options)
            _show(recommender, who, title, items, reasons, as_json, why_empty)
            if not as_json:
                _say_how_sure(items, liked, len(liked) + len(disliked))


def _why_empty(items: "ResultList[Any]", options: FilterOptions) -> str | None:
    """Return which option left no movie, as a sentence; None if the list has movies, or no option is the reason."""
    return None if items or items.emptied is None else items.emptied.told(options.called)


def _say_how_sure(items: "Sequence[Recommendation]", liked: "Sequence[Movie]", opinions: int) -> None:
    """Say how much of a list is taste if popularity has a part in it, and what little is known of the liked movies."""
    for movie in liked:
        if movie.origin != "trained":
            known = f"{counted(movie.likes, 'like')}" if movie.likes else "no likes yet, only its genres and year"
            render.note(f"Little is known of {movie.label}: {known}.")
    tastes = [item.taste for item in items if item.taste is not None]
    if not tastes or min(tastes) == 1:
        return
    share = sum(tastes) / len(tastes)
    if not share:
        render.note("How sure: nothing is liked yet, so these are popular movies.")
        return
    guess = "a first guess" if opinions < 3 else "a rough idea" if opinions < 10 else "a fair idea"
    render.note(
        f"How sure: {guess}, from {counted(opinions, 'opinion')}. {share:.0%} of these scores come from"
        f" {'it' if opinions == 1 else 'them'}, the rest from what most people like."
    )


def _check_usage(has_user: bool, is_visitor: bool, all_users: bool, out: Path | None, explain: bool) -> None:
    if [has_user, is_visitor, all_users].count(True) != 1:
        raise UsageError("Use one of --user ID, --like and --dislike (for a visitor), or --all-users.")
    if all_users != (out is not None):
        raise UsageError("--all-users requires --out FILE." if all_users else "--out requires --all-users.")
    if out is not None and explain:
        raise UsageError("--explain cannot be combined with --all-users.")
    if out is not None and out.suffix not in (".parquet", ".csv"):
        raise UsageError(f"The name of the file must end in .parquet or .csv, not '{out}'.")
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.parent}. Create it first.")


def _write_all(recommender: "Recommender", n: int, filters: "ListFilters", out: Path, as_json: bool) -> None:
    from mlrec.dataset.lists_file import write_lists

    users = listed = 0

    def columns() -> Any:
        nonlocal users, listed
        for block in recommender.recommend_all(n, filters=filters, progress=progress()):
            users += block.users
            listed += int((block.rank == 1).sum())
            yield {name: value for name, value in vars(block).items() if name != "users"}

    rows = write_lists(out, columns())
    if as_json:
        counts = {"users": users, "empty_lists": users - listed, "rows": rows}
        render.print_json({"model_id": recommender.model_id, **counts, "out": str(out)})
    else:
        written, whom = counted(rows, "recommendation"), counted(users, "user")
        render.line(f"Wrote {written} for {whom} to {out}.")
        if users > listed:
            render.warn(f"The filters leave no movie for {counted(users - listed, 'user')}.")


def _show(
    recommender: "Recommender",
    who: dict[str, Any],
    title: str,
    items: "Sequence[Recommendation]",
    reasons: "Sequence[Explanation] | None",
    as_json: bool,
    why_empty: str | None,
) -> None:
    if as_json:
        documents = [item.to_json() for item in items]
        for document, explanation in zip(documents, reasons or [], strict=False):
            document["explanation"] = explanation.to_json()
        told = {} if why_empty is None else {"why_empty": why_empty}
        render.print_json({**who, "model_id": recommender.model_id, "items": documents, **told})
    elif why_empty is not None:
        _show_empty(title, why_empty)
    else:
        show(items, title, "score", reasons)


def _show_empty(title: str, why: str) -> None:
    render.line(f"{title}, {why[0].lower()}{why[1:]}")


def _show_group(
    recommender: "Recommender",
    items: "Sequence[GroupRecommendation]",
    people: "Sequence[PublicId]",
    rule: GroupRule,
    explain: bool,
    as_json: bool,
    why_empty: str | None,
) -> None:
    """Render a list for several people, with the rank of each movie for each of them among all movies."""
    if as_json:
        told = {} if why_empty is None else {"why_empty": why_empty}
        found = {"model_id": recommender.model_id, "items": [item.to_json() for item in items], **told}
        render.print_json({"user_ids": list(people), "rule": rule, **found})
        return
    who = " and ".join(map(in_shell, people)) if len(people) < 3 else ", ".join(map(in_shell, people))
    if why_empty is not None:
        _show_empty(f"For users {who}", why_empty)
        return
    if not items:
        render.line(f"For users {who}: no movies match.")
        return
    rows = [
        [item.movie.rank, item.movie.title, item.movie.year or "", *(f"{own.standing.rank:,}" for own in item.members)]
        for item in items
    ]
    columns = ["#rank", "title", "year", *(f"#for {in_shell(one)}" for one in people)]
    if explain:
        columns.append("why")
        for row, item in zip(rows, items, strict=True):
            row.append("; ".join(f"{in_shell(own.user_id)}: {_why_of(own)}" for own in item.members))
    else:
        columns.append(render.id_heading("id", (item.movie.movie_id for item in items)))
        for row, item in zip(rows, items, strict=True):
            row.append(item.movie.movie_id)
    render.table(columns, rows, title=f"For users {who}, with the rank of each movie for each of them")
    for one in people:
        if not recommender.knows_user(one):
            render.warn(f"User {in_shell(one)} has no likes that the model knows, and goes by what is popular.")


def _why_of(opinion: "MemberOpinion") -> str:
    return cards.because(opinion.because) if opinion.because else "popular"


def show(
    items: "Sequence[Recommendation]", title: str, score_name: str, reasons: "Sequence[Explanation] | None" = None
) -> None:
    """Render a ranked list, with the reasons if they are given."""
    columns = ["#rank", "title", "year", "genres", f"#{score_name}", "source"]
    columns.append(render.id_heading("id", (item.movie_id for item in items)))
    rows: list[tuple[object, ...]] = [
        (
            item.rank,
            item.title,
            item.year or "",
            ", ".join(item.genres),
            f"{item.score:.3f}",
            item.source,
            item.movie_id,
        )
        for item in items
    ]
    kept = [0, 1, 2, 4] if render.is_narrow() else [0, 1, 2, 3, 4, 6] if _is_plain(items) else list(range(7))
    if reasons is not None:
        kept = [0, 1, 4, 7]
    if not by_score(items):
        # Scores that are not in order look like a mistake. --json has them.
        kept.remove(4)
    if reasons is not None:
        columns.append("why")
        rows = [(*row, _why(item, reason)) for row, item, reason in zip(rows, items, reasons, strict=True)]
    if not items:
        render.line(f"{title}: no movies match.")
        return
    render.table([columns[i] for i in kept], [[row[i] for i in kept] for row in rows], title=title)


def by_score(items: "Sequence[Recommendation]") -> bool:
    """Whether a list is in order of score, rather than spread over genres or by --diversity."""
    return all(higher.score >= lower.score for higher, lower in pairwise(items))


def _is_plain(items: "Sequence[Recommendation]") -> bool:
    """Whether a column of sources would say the same in each row."""
    return {item.source for item in items} <= {"personal"} or {item.source for item in items} <= {"similar"}


def _why(item: "Recommendation", explanation: "Explanation") -> str:
    likes = explanation.because() if item.source == "personal" else []
    return cards.because(likes) if likes else item.source
