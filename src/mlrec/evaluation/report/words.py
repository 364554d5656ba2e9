"""What the report says in words: the verdict at its top, and its small print."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from mlrec.evaluation.estimates import Difference
from mlrec.evaluation.protocol import MODEL, Evaluation
from mlrec.evaluation.replay.arms import SERVED
from mlrec.evaluation.replay.replay import Replay
from mlrec.evaluation.wording import (
    PROTOCOLS,
    interval,
    learned_from,
    left_out,
    metric_name,
    settings_of,
    signed,
    skipped,
    split_name,
    updates,
    whom,
)

_WANTED = {"liked": "the liked", "any": "all rated"}


def printed(figure: str) -> str:
    """A figure with minus signs that are as wide as a plus."""
    return figure.replace("-", "−")


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
    own, users = evaluation.models[MODEL][metric], whom(evaluation.users, evaluation.sample)
    said = [
        f"On the {escape(split_name(evaluation.split))} part, over {users}, <b>{MODEL}</b> reaches a"
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
        found.append(Tile(f"against {name}, {part}", printed(signed(lead.value, 3)), printed(interval(lead))))
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
        said.append(left_out(evaluation.users_left_out))
    if evaluation.users_without_taste:
        said.append(
            f"Users of whose taste nothing is known, who get popular movies: {evaluation.users_without_taste:,}."
        )
    if evaluation.sample:
        said.append(f"Only {evaluation.users:,} users were judged, drawn at random.")
    said += [f"{escape(skipped(name, reason))}." for name, reason in evaluation.skipped.items()]
    said.append(f"Split by {PROTOCOLS[evaluation.protocol]}.")
    if evaluation.protocol == "user-time":
        said.append("<code>--protocol global-time</code> hides the future.")
    return said


def _whose(evaluation: Evaluation) -> str:
    """Which model it is that was judged."""
    if not evaluation.trained_anew:
        return f"{MODEL} is model {escape(str(evaluation.model_id))}."
    return f"{MODEL} was trained for this protocol, with {escape(settings_of(evaluation.model_id))}."


def replay_print(replay: Replay) -> list[str]:
    """What one must know to read the figures of a replay; HTML."""
    return [
        f"{learned_from(replay.learned_events, replay.starts_at)}"
        f" The {replay.users:,} users {_of_whom(replay)} are replayed.",
        f"{replay.unknown_likes:,} of the {replay.likes:,} likes are of movies that the model does not know: misses of"
        " every rule.",
        f"An update of a user's vector took (median, one thread): {escape(updates(replay.update_seconds))}.",
        *(f"{escape(skipped(name, reason))}." for name, reason in replay.skipped.items()),
    ]


def _of_whom(replay: Replay) -> str:
    if replay.users < replay.held_out_users:
        return f"drawn from the {replay.held_out_users:,} who came later"
    return "who came later"


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
    measured = f"{abs(lead.value):.3f}</b> ({printed(interval(lead))})"
    if lead.is_above:
        return f"ahead of {escape(what)} by <b>{measured}"
    if lead.is_below:
        return f"behind {escape(what)} by <b>{measured}"
    return f"level with {escape(what)} (difference <b>{printed(signed(lead.value, 3))}</b>, {printed(interval(lead))})"
