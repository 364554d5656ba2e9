"""What mlrec users import and replay show of a person's own films."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlrec.cli import render
from mlrec.cli.progress import progress
from mlrec.cli.public_ids import parse_id, readable_model
from mlrec.errors import InputError, as_argument, in_shell
from mlrec.plurals import counted
from mlrec.workspace import Workspace

if TYPE_CHECKING:
    from mlrec.evaluation.estimates import Estimate
    from mlrec.ids import PublicId
    from mlrec.own_films.importing import ImportedFilms, NotImported
    from mlrec.own_films.own_replay import OwnReplay

_SHOWN = 12
_NOT_FOUND = 3
_WAYS = {
    "by hand": "by your corrections",
    "id": "by IMDb or TMDB id",
    "title": "by title and year",
    "other title": "by another title and year",
    "spelling": "by another spelling and year",
    "year off by one": "by title, a year apart",
    "year unknown": "by title alone",
    "subtitle": "by a part of the title, and year",
}


def import_own_films(
    file: Path,
    user: str,
    data_dir: Path,
    *,
    scale_to_me: bool,
    match: Path | None,
    dry_run: bool,
    rejects: Path | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Import a person's export, and render what was found."""
    from mlrec.own_films.importing import import_films

    workspace = Workspace(data_dir)
    user_id = _user_id(user, workspace)
    if str(file) == "-" and sys.stdin is None:
        raise InputError("stdin cannot be read: it is closed.", "Name the export.")
    outcome = import_films(
        workspace,
        sys.stdin.buffer if str(file) == "-" else file,
        user_id,
        scale_to_me=scale_to_me,
        match=match,
        dry_run=dry_run,
        report=rejects,
        store=store,
    )
    if as_json:
        render.print_json(outcome.to_json())
    else:
        options = " --scale-to-me" if scale_to_me else ""
        _show_import(outcome, None if str(file) == "-" else f"{in_shell(str(file))}{options}", match)


def replay_own_films(user: str, data_dir: Path, *, k: int, store: str | None, as_json: bool) -> None:
    """Replay a person's own history, and render what it says."""
    from mlrec.own_films.own_replay import replay_user

    workspace = Workspace(data_dir)
    outcome = replay_user(workspace, _user_id(user, workspace), k=k, store=store, progress=progress())
    if as_json:
        render.print_json(outcome.to_json())
    else:
        _show_replay(outcome)


def _user_id(user: str, workspace: Workspace) -> "PublicId":
    model = readable_model(workspace)
    return parse_id(user, "user", None if model is None else model.user_id_kind)


def _show_import(outcome: "ImportedFilms", export: str | None, match: Path | None) -> None:
    from mlrec.own_films.rows import SERVICES

    services = Counter[str]()
    for one in outcome.files:
        services[SERVICES[one.service]] += one.rows
    names = ", ".join(f"{one.name} ({counted(one.rows, 'row')})" for one in outcome.files)
    render.line(f"{' and '.join(services)}: {names}")
    for note in outcome.notes:
        render.warn(note)
    share = f" ({outcome.found / outcome.films:.1%})" if outcome.films else ""
    render.table(
        ["", "#films"],
        [
            ("rated, liked or watched", f"{outcome.films:,}"),
            ("found", f"{outcome.found:,}{share}"),
            *((f"  {_WAYS[way]}", f"{count:,}") for way, count in outcome.found_by.items()),
            *([("only on a watchlist, which is not an opinion", f"{outcome.wanted:,}")] if outcome.wanted else []),
        ],
    )
    _show_stored(outcome)
    if outcome.not_imported:
        _show_doubtful(outcome, export, match)
    if outcome.dry_run:
        render.line("Nothing was stored. To import, leave out --dry-run.")
    elif outcome.imported or outcome.already_there:
        user = as_argument(outcome.user_id)
        render.line(f"How well does the model know this person? mlrec users replay {user}")
        render.line(f"What to watch next? mlrec recommend --user {in_shell(outcome.user_id)}")


def _show_stored(outcome: "ImportedFilms") -> None:
    verb = "To be stored" if outcome.dry_run else "Stored"
    swipes = ", ".join(counted(count, name) for name, count in outcome.swipes.items())
    parts = [f"{verb}: {swipes or 'nothing new'}."]
    more: Mapping[str, int] = {
        "Already stored": outcome.already_there,
        "Undone by the user, and left so": outcome.undone,
        "Left as they are, because the user has an opinion or has seen them": outcome.kept,
        "Withdrawn, because the film is another one": outcome.corrected,
    }
    parts += [f"{what}: {count:,}." for what, count in more.items() if count]
    render.line(" ".join(parts))


def _show_doubtful(outcome: "ImportedFilms", export: str | None, match: Path | None) -> None:
    """Show the films that were not found and have candidates, and count the rows that were not imported."""
    doubtful = sorted((row for row in outcome.not_imported if _is_doubtful(row)), key=_doubt)
    if doubtful:
        render.line()
        render.table(
            ["not found", "#year", "why", "nearest"],
            [(row.title, row.year or "", row.reason, row.nearest[0]) for row in doubtful[:_SHOWN]],
            title="Doubtful films" + (f": {_SHOWN} of {len(doubtful):,}" if len(doubtful) > _SHOWN else ""),
        )
    reasons = list(outcome.reasons.items())
    told = "; ".join(f"{count:,} {reason}" for reason, count in reasons[:_NOT_FOUND])
    others = sum(count for _, count in reasons[_NOT_FOUND:])
    told += f"; {others:,} for other reasons" if others else ""
    render.warn(f"{counted(len(outcome.not_imported), 'row')} not imported ({told}). See {outcome.report}")
    if any(not row.reason.startswith("newer") for row in outcome.not_imported):
        where = "save it under another name" if match is None else f"add the row to {match}"
        again = f"mlrec users import {export or 'FILE'} --user {in_shell(outcome.user_id)} --match"
        named = "CORRECTED" if match is None else in_shell(str(match))
        render.line(
            f"To correct a film, write its movie id into the report, {where}, and import again: {again} {named}"
        )


def _is_doubtful(row: "NotImported") -> bool:
    """Whether a person could know better: the film is not one that the model cannot have."""
    return bool(row.nearest) and not row.reason.startswith("newer")


def _doubt(row: "NotImported") -> bool:
    """Films that several movies fit come first."""
    return row.reason.startswith("no movie")


def _rate(rate: "Estimate") -> str:
    return f"{rate.value:.0%} ({rate.low or 0:.0%} to {rate.high or 0:.0%})"


def _show_replay(outcome: "OwnReplay") -> None:
    from mlrec.own_films.own_replay import PERSONAL

    rows = []
    for rule, rate in outcome.hit_rate.items():
        cells = [rule, f"{rate.value:.1%}", f"{rate.low or 0:.1%} to {rate.high or 0:.1%}"]
        if rule in outcome.leads:
            lead = outcome.leads[rule]
            bounds = "none" if lead.low is None or lead.high is None else f"{lead.low:+.1%} to {lead.high:+.1%}"
            cells += [f"{lead.value:+.1%}", bounds]
        rows.append(cells)
    render.table(
        ["lists of", "#hit rate", "#95% CI", f"#{PERSONAL} leads by", "#95% CI"],
        rows,
        title=f"Likes of user {in_shell(outcome.user_id)} in the top {outcome.k}, before each was given:"
        f" {counted(outcome.likes, 'like')}, {counted(outcome.opinions, 'opinion')}",
        keys=1,
    )
    render.table(
        ["earlier opinions", "#likes", *(f"#{rule}" for rule in outcome.hit_rate)],
        [(part.span, f"{part.likes:,}", *map(_rate, part.hit_rate.values())) for part in outcome.curve],
        title="Hit rate by number of earlier opinions, with the 95% CI",
        keys=1,
    )
    if outcome.learned_likes:
        render.line(f"{counted(outcome.learned_likes, 'like')} not predicted, because the model was trained on them.")
    if outcome.unknown_likes:
        render.line(f"{counted(outcome.unknown_likes, 'like')} of movies that the model does not know count as misses.")
    render.line(outcome.summary)
