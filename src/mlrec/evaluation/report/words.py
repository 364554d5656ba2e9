"""The report's sentences: the verdict at the top and the small print."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from mlrec.evaluation.estimates import Difference
from mlrec.evaluation.foreign_lists import told
from mlrec.evaluation.protocol import MODEL, NO_RIVALS, Evaluation
from mlrec.evaluation.replay.arms import SERVED
from mlrec.evaluation.replay.replay import Replay
from mlrec.evaluation.wording import (
    SEQUENCE,
    by_reason,
    divided,
    half_lives,
    how_split,
    interval,
    learned_from,
    left_out,
    metric_name,
    of_seeds,
    settings_of,
    signed,
    significant,
    skipped,
    split_name,
    updates,
    where_relevant,
    whom,
)
from mlrec.plurals import counted

_RELEVANT = {"liked": "the liked", "any": "all rated"}


def printed(figure: str) -> str:
    """Return a figure with typographic minus signs, which are as wide as a plus."""
    return figure.replace("-", "−")


@dataclass(frozen=True)
class Tile:
    """A key figure, with its label above and its confidence interval below."""

    label: str
    value: str
    interval: str

    def html(self) -> str:
        """Return the tile as HTML."""
        label, value, interval_ = map(escape, (self.label, self.value, self.interval))
        return f"<li><span>{label}</span><b>{value}</b><small>{interval_}</small></li>"


def verdict(evaluation: Evaluation) -> str:
    """Say how good the model is, in one paragraph of HTML."""
    metric = f"ndcg@{evaluation.ks[0]}"
    own = evaluation.models[MODEL][metric]
    users = whom(evaluation.users, evaluation.sample, evaluation.judged)
    said = [
        f"On the {escape(split_name(evaluation.split))} split, over {users}, <b>{MODEL}</b> reaches an"
        f" {metric_name(metric)} of <b>{own.value:.3f}</b> (95% CI {interval(own)})."
    ]
    if rivals := _rivals(evaluation, metric):
        said.append(f"It is {' and '.join(_standing(what, lead) for _, what, lead in rivals)}.")
    return f"<p>{' '.join(said)}</p>"


def learning_verdict(replay: Replay) -> str:
    """Say how well the model learns from swipes, in one paragraph of HTML."""
    metric = f"hit_rate@{replay.settings.k}"
    own, lead = replay.arms[SERVED][metric], replay.differences.get(f"{SERVED} - popularity", {}).get(metric)
    said = (
        f"For {counted(replay.users, 'user')} whom the model had never seen, the next movie that they liked was in the"
        f" top {replay.settings.k} in <b>{own.value:.1%}</b> of {replay.likes:,} cases (95% CI {interval(own)})."
    )
    if lead:
        said += f" That is {_standing('popularity', lead)}."
    return f"<p>{said}</p>"


def tiles(evaluation: Evaluation) -> list[Tile]:
    """Return the key figures of the verdict."""
    metric = f"ndcg@{evaluation.ks[0]}"
    own, part = evaluation.models[MODEL][metric], split_name(evaluation.split)
    found = [Tile(f"{metric_name(metric)}, {part}", f"{own.value:.3f}", interval(own))]
    for name, _, lead in _rivals(evaluation, metric):
        found.append(Tile(f"Lead over {name}, {part}", printed(signed(lead.value, 3)), printed(interval(lead))))
    return found


def learning_tile(replay: Replay) -> Tile:
    """Return the key figure of the replay."""
    metric = f"hit_rate@{replay.settings.k}"
    own = replay.arms[SERVED][metric]
    return Tile(f"{metric_name(metric)}, new users", f"{own.value:.3f}", interval(own))


def small_print(evaluation: Evaluation) -> list[str]:
    """Return what a reader needs to know about the figures of an evaluation, as HTML sentences."""
    history = " and ".join(map(split_name, evaluation.history.split("+")))
    within = " that are in the core" if evaluation.relevance_within == "core" else ""
    said = [
        f"Relevant: {escape(_RELEVANT.get(evaluation.relevance, evaluation.relevance))} movies of the"
        f" {escape(split_name(evaluation.split))} split{within}. Known of each user: {escape(history)}.",
        _which_model(evaluation),
        escape(where_relevant(**vars(evaluation.relevant))),
    ]
    if evaluation.users_left_out:
        said.append(left_out(evaluation.users_left_out))
    if evaluation.users_without_taste:
        said.append(
            f"{evaluation.users_without_taste:,} of the users got popular movies, because their taste is unknown."
        )
    if evaluation.sample:
        said.append(f"A random sample: {counted(evaluation.users, 'user')}.")
    said += [f"{escape(skipped(*one))}." for one in by_reason(evaluation.skipped)]
    said += map(escape, told(evaluation))
    if evaluation.seeds:
        said.append(
            escape(
                of_seeds(
                    f"ndcg@{evaluation.ks[0]}",
                    evaluation.seeds.random_seeds,
                    evaluation.seeds.models,
                    evaluation.seeds.spread,
                )
            )
        )
    if evaluation.half_lives:
        said.append(escape(half_lives(evaluation.half_lives)))
    if "sequence" in evaluation.models:
        said.append(escape(SEQUENCE))
    if any(own.is_sure for pair in evaluation.differences.values() for own in pair.values()):
        said.append(significant(len(evaluation.differences)))
    said += divided(shuffled=evaluation.shuffled_sittings, on_all=evaluation.split_on == "all")
    said.append(how_split(evaluation.protocol, evaluation.ordered_by))
    said += [f"{metric} is not applicable: {reason}." for metric, reason in evaluation.not_applicable.items()]
    if evaluation.protocol == "user-time" and evaluation.ordered_by == "time":
        said.append("To hide the future, use <code>--protocol global-time</code>.")
    return said


def _which_model(evaluation: Evaluation) -> str:
    """Say which model was evaluated."""
    if not evaluation.trained_anew:
        return f"{MODEL} is model {escape(str(evaluation.model_id))}."
    return f"{MODEL} was trained for this protocol with {escape(settings_of(evaluation.model_id))}."


def replay_print(replay: Replay) -> list[str]:
    """Return what a reader needs to know about the figures of a replay, as HTML sentences."""
    return [
        f"{learned_from(replay.learned_events, replay.starts_at)}"
        f" Replayed: {counted(replay.users, 'user')} {_which_users(replay)}.",
        f"{replay.outside_core_likes / replay.likes:.0%} of the {replay.likes:,} likes are outside the core."
        f" {replay.unknown_likes:,} are of movies that the model does not know. Every rule misses them.",
        f"Median time of an update of a user's vector, on one thread: {escape(updates(replay.update_seconds))}.",
        *(f"{escape(skipped(*one))}." for one in by_reason(replay.skipped)),
    ]


def _which_users(replay: Replay) -> str:
    if replay.users < replay.held_out_users:
        return f"drawn from the {replay.held_out_users:,} who came later"
    return "who came later"


def _rivals(evaluation: Evaluation, metric: str) -> list[tuple[str, str, Difference]]:
    """Return name, wording and lead for popularity and the best baseline, if they were evaluated."""
    others = {name: row[metric].value for name, row in evaluation.models.items() if name not in NO_RIVALS}
    best = max(others, key=lambda name: others[name], default="")
    called = {"popularity": "popularity"} if "popularity" in others else {}
    if best:
        kind = "of the lists made elsewhere" if best in evaluation.recommendations else "baseline"
        aside = " apart from sequence" if "sequence" in evaluation.models else ""
        called[best] = called.get(best, f"the best {kind}{aside} ({best})")
    leads = {name: evaluation.differences.get(f"{MODEL} - {name}", {}).get(metric) for name in called}
    return [(name, what, lead) for name, what in called.items() if (lead := leads[name]) is not None]


def _standing(what: str, lead: Difference) -> str:
    """Put a lead into words. A model is ahead or behind only if the confidence interval excludes 0."""
    measured = f"{abs(lead.value):.3f}</b> ({printed(interval(lead))})"
    if lead.is_above:
        return f"ahead of {escape(what)} by <b>{measured}"
    if lead.is_below:
        return f"behind {escape(what)} by <b>{measured}"
    measured = f"{printed(signed(lead.value, 3))}</b> ({printed(interval(lead))})"
    return f"level with {escape(what)}, with a difference of <b>{measured}"
