"""What the report says in words: the verdict at its top, and its small print."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from mlrec.evaluation.estimates import Difference
from mlrec.evaluation.protocol import MODEL, Evaluation
from mlrec.evaluation.replay.arms import SERVED
from mlrec.evaluation.replay.replay import Replay
from mlrec.evaluation.report.names import duration, interval, metric_name, signed, split_name
from mlrec.settings import ProtocolName

_WANTED = {"liked": "the liked", "any": "all rated"}
_PROTOCOLS: Mapping[ProtocolName, str] = {
    "user-time": "Each user's own history was split by time, so a model has learned from what others did later than the"
    " movies that it is asked for (Ji et al. 2023). <code>--protocol global-time</code> does not allow that.",
    "global-time": "The split falls at the same two moments for everybody: nothing later has been learned from.",
    "held-out-users": "The judged users were kept from training, and 80% of their history was folded in, as by Liang et"
    " al. (2018).",
}


@dataclass(frozen=True)
class Tile:
    """A number that matters, with what it is above it and its interval below."""

    label: str
    value: str
    interval: str

    def html(self) -> str:
        """As HTML."""
        label, value, interval_ = map(escape, (self.label, self.value, self.interval))
        return f"<li><span>{label}</span><b>{value}</b><small>{interval_}</small></li>"


def verdict(evaluation: Evaluation) -> str:
    """Is the model any good? One paragraph of HTML."""
    metric = f"ndcg@{evaluation.ks[0]}"
    own = evaluation.models[MODEL][metric]
    whom = f"a sample of {evaluation.users:,} users" if evaluation.sample else f"{evaluation.users:,} users"
    said = [
        f"On the {escape(split_name(evaluation.split))} part, over {whom}, <b>{MODEL}</b> reaches a"
        f" {metric_name(metric)} of <b>{own.value:.3f}</b> (95% interval {interval(own)})."
    ]
    if rivals := _rivals(evaluation, metric):
        said.append(f"It is {' and '.join(_standing(what, lead) for _, what, lead in rivals)}.")
    return f"<p>{' '.join(said)}</p>"


def learning_verdict(replay: Replay) -> str:
    """Does it learn from swipes? One paragraph of HTML."""
    metric = f"hit_rate@{replay.settings.k}"
    own, lead = replay.arms[SERVED][metric], replay.differences.get(f"{SERVED} - popularity", {}).get(metric)
    said = (
        f"For {replay.users:,} people whom it had never seen, the next movie that they liked was among the first"
        f" {replay.settings.k} in <b>{own.value:.1%}</b> of {replay.likes:,} cases (95% interval {interval(own)})"
    )
    if lead:
        said += f"; that is {_standing('popularity', lead)}"
    return f"<p>{said}.</p>"


def tiles(evaluation: Evaluation) -> list[Tile]:
    """The numbers of the verdict."""
    metric = f"ndcg@{evaluation.ks[0]}"
    own, part = evaluation.models[MODEL][metric], split_name(evaluation.split)
    found = [Tile(f"{metric_name(metric)}, {part}", f"{own.value:.3f}", interval(own))]
    for name, _, lead in _rivals(evaluation, metric):
        found.append(Tile(f"against {name}, {part}", signed(lead.value, 3), interval(lead)))
    return found


def learning_tile(replay: Replay) -> Tile:
    """The number of the replay."""
    metric = f"hit_rate@{replay.settings.k}"
    own = replay.arms[SERVED][metric]
    return Tile(f"{metric_name(metric)}, new users", f"{own.value:.3f}", interval(own))


def small_print(evaluation: Evaluation) -> list[str]:
    """What one must know to read the figures of an evaluation; HTML."""
    history = " and ".join(map(split_name, evaluation.history.split("+")))
    said = [
        f"Looked for: {escape(_WANTED.get(evaluation.relevance, evaluation.relevance))} movies of the"
        f" {escape(split_name(evaluation.split))} part. Known of each user: {escape(history)}. {_whose(evaluation)}"
    ]
    if evaluation.users_left_out:
        said.append(f"Users without such a movie, who are left out: {evaluation.users_left_out:,}.")
    if evaluation.users_without_taste:
        said.append(
            f"Users of whose taste nothing is known, who get popular movies: {evaluation.users_without_taste:,}."
        )
    if evaluation.sample:
        said.append(f"Only {evaluation.users:,} users were judged, drawn at random.")
    said += [f"{escape(name)} {escape(reason)} and was left out." for name, reason in evaluation.skipped.items()]
    said.append(_PROTOCOLS[evaluation.protocol])
    return said


def _whose(evaluation: Evaluation) -> str:
    """Which model it is that was judged."""
    if not evaluation.trained_anew:
        return f"{MODEL} is model {escape(str(evaluation.model_id))}."
    settings = f"the settings of {escape(evaluation.model_id)}" if evaluation.model_id else "the default settings"
    return f"{MODEL} was trained for this protocol, with {settings}."


def replay_print(replay: Replay) -> list[str]:
    """What one must know to read the figures of a replay; HTML."""
    return [
        f"Learned from {replay.learned_events:,} ratings of other users before {day(replay.starts_at)}; the"
        f" {replay.users:,} users {_of_whom(replay)} are replayed.",
        f"{replay.unknown_likes:,} of the {replay.likes:,} likes are of movies that the model does not know: misses of"
        " every rule.",
        "An update of a user's vector took (median, one thread): "
        + ", ".join(f"{escape(name)} {duration(seconds)}" for name, seconds in replay.update_seconds.items())
        + ".",
        *(f"{escape(name)} {escape(reason)} and was left out." for name, reason in replay.skipped.items()),
    ]


def _of_whom(replay: Replay) -> str:
    if replay.users < replay.held_out_users:
        return f"drawn from the {replay.held_out_users:,} who came later"
    return "who came later"


def day(moment: int) -> str:
    """The day of a moment, UTC."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def _rivals(evaluation: Evaluation, metric: str) -> list[tuple[str, str, Difference]]:
    """Popularity and the best baseline, if they are there: name, how it is called in a sentence, lead over it."""
    others = {name: row[metric].value for name, row in evaluation.models.items() if name != MODEL}
    best = max(others, key=lambda name: others[name], default="")
    called = {"popularity": "popularity"} if "popularity" in others else {}
    if best:
        called[best] = called.get(best, f"the best baseline, {best}")
    leads = {name: evaluation.differences.get(f"{MODEL} - {name}", {}).get(metric) for name in called}
    return [(name, what, lead) for name, what in called.items() if (lead := leads[name]) is not None]


def _standing(what: str, lead: Difference) -> str:
    """How a lead is put into words: only an interval that excludes 0 says who is ahead."""
    measured = f"{abs(lead.value):.3f}</b> ({interval(lead)})"
    if lead.is_above:
        return f"ahead of {escape(what)} by <b>{measured}"
    if lead.is_below:
        return f"behind {escape(what)} by <b>{measured}"
    return f"level with {escape(what)} (difference <b>{signed(lead.value, 3)}</b>, {interval(lead)})"
