"""The settings of each stage as a frozen dataclass. Every default is here; command-line options read them from here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from mlrec.errors import SettingsError, shown, unfit

SplitKind = Literal["user-time", "global-time"]
TieRule = Literal["movie-id", "random"]
ProtocolName = Literal["user-time", "global-time", "held-out-users"]
SplitName = Literal["train", "val", "test"]
HeldOutSplit = Literal["val", "test"]
Dislikes = Literal["zero", "ignore", "as-likes"]
TrainOn = Literal["train", "all"]
UserVectors = Literal["fold-in", "trained"]
Auto = Literal["auto"]
"""Left to the training, which chooses on validation."""
ItemItemUse = Literal["on", "off"]
KnownMovies = Literal["all", "core"]
Relevance = Literal["liked", "any"]
RelevanceWithin = Literal["all", "core"]
History = Literal["known", "train"]
PresetName = Literal["default", "baseline"]
BaselineName = Literal[
    "popularity",
    "recent",
    "cosine",
    "cosine-recent",
    "ease",
    "ease-recent",
    "sequence",
    "als-baseline",
    "als-default",
]
UpdateRule = Literal["fold-in", "gradient"]
GroupRule = Literal["multiplicative", "average", "least-misery"]
"""How the scores of several people become one; see `mlrec.ranking.groups`."""
DEFAULT_GROUP_RULE: GroupRule = "multiplicative"
GROUP_RULES: tuple[GroupRule, ...] = get_args(GroupRule)
SeenMovies = Literal["hide", "show", "only"]
"""What becomes of movies that a user has seen: they are not listed, they are listed too, or no others are."""
EngineName = Literal["local", "spark"]
NormRule = Literal["cap", "unit"]
VectorFormat = Literal["parquet", "npy", "csv"]
IdsSetting = Literal["auto", "integer", "text"]
OrderWithoutTime = Literal["file", "random"]

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
SplitOn = Literal["core", "all"]
Judged = Literal["all", "others", "holdout"]
"""Which users are evaluated: all, those outside the holdout, or the holdout alone; see `mlrec.evaluation.holdout`."""
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
COLUMN_ROLES = ("user", "movie", "rating", "time")
"""What a column of the ratings file can mean."""
TIME_FORMATS = ("auto", "s", "ms", "us", "ns", "iso")
DEFAULT_DATA_DIR = "data"
DEFAULT_TOP_N = 10
DEFAULT_USERS = 20
DEFAULT_PRESET: PresetName = "default"
DEFAULT_ENGINE: EngineName = "local"
DEFAULT_VECTOR_FORMAT: VectorFormat = "parquet"
_MOST_PLACES = 1_000_000
_MOST_THREADS = 1_024
_MOST_WORKERS = 256
_MOST_SWEEPS = 10_000
_LONGEST_STEP = 1e9  # vectors are float32
ITEM_ITEM_REGULARIZATION = 15.0
MOST_ITEM_ITEM = 0.99
"""Largest weight of the second opinion: the vectors have to rank the movies that no like speaks for."""
DEFAULT_KS: Mapping[ProtocolName, tuple[int, ...]] = {
    "user-time": (10,),
    "global-time": (10,),
    "held-out-users": (20, 50, 100),
}
"""Cutoffs K; those for held-out users are the usual ones (Liang et al. 2018)."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise SettingsError(message)


def _require_threads(threads: int) -> None:
    _require(0 <= threads <= _MOST_THREADS, f"threads must be between 0 (all processors) and {_MOST_THREADS:,}.")


_PLAIN: Mapping[Any, tuple[type, str]] = {
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a string"),
}


def converted(name: str, value: Any, kind: Any) -> Any:
    """Convert a value to the plain Python type that an annotation names. Numbers from numpy are accepted.

    Raises
    ------
    SettingsError
        If the value has another type. Neither `True` nor text is a number, and 2.0 is not a whole number.
    """
    parts = get_args(kind)
    if get_origin(kind) in (Union, UnionType):  # X | None, or X | Auto
        if Auto in parts:
            if isinstance(value, str):
                value = _number_or_auto(name, value)
            return value if isinstance(value, str) else converted(name, value, parts[0])
        return None if value is None else converted(name, value, parts[0])
    if get_origin(kind) is tuple:
        return _converted_tuple(name, value, parts)
    if get_origin(kind) is Literal:
        kind, needed, fits = str, f"one of {', '.join(parts)}", isinstance(value, str) and value in parts
    elif kind in _PLAIN:
        family, needed = _PLAIN[kind]
        fits = isinstance(value, family) and isinstance(value, bool) == (kind is bool)
    else:
        needed, fits = kind.__name__, isinstance(value, kind)
    if not fits:
        raise unfit(name, needed, value)
    try:
        return kind(value) if kind in _PLAIN else value
    except OverflowError:
        raise SettingsError(f"{name} is too large: {shown(value)}.") from None


def _number_or_auto(name: str, value: str) -> str:
    if value != "auto":
        raise unfit(name, "a number or auto", value)
    return value


def _converted_tuple(name: str, value: Any, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):
        raise unfit(name, "a tuple", value)
    kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
    if len(kinds) != len(value):
        raise unfit(name, f"{len(kinds)} values", value)
    return tuple(converted(f"each value of {name}", item, kind) for item, kind in zip(value, kinds, strict=True))


@cache
def _kinds_of(settings: Any) -> dict[str, Any]:
    """The annotated types of a class's fields."""
    return get_type_hints(settings)


class Settings:
    """Common methods of the settings of all stages."""

    def __post_init__(self) -> None:
        """Refuse values that do not have the annotated type, and convert numpy values to Python's own types."""
        for name, kind in _kinds_of(type(self)).items():  # type: ignore[arg-type]  # classes are hashable
            object.__setattr__(self, name, converted(name, getattr(self, name), kind))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values; infinity becomes null."""
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return {
            name: None if isinstance(value, float) and math.isinf(value) else value for name, value in values.items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`, for settings that are numbers and words. Missing settings get their defaults.

        Raises
        ------
        SettingsError
            If a name is unknown or a value cannot be used.
        """
        kinds = _kinds_of(cls)  # type: ignore[arg-type]
        if not isinstance(values, Mapping):
            raise unfit("settings", f"an object of {', '.join(kinds)}", values)
        for name in values:
            if name not in kinds:
                raise SettingsError(f"{name} is unknown.", f"Valid settings: {', '.join(kinds)}.")
        return cls(
            **{
                name: math.inf if value is None and _may_be_null(name, kinds[name]) else value
                for name, value in values.items()
            }
        )


def _may_be_null(name: str, kind: Any) -> bool:
    """Whether null means infinity: of the numbers that may be chosen, only for half-lives."""
    return kind is float or (kind == (float | Auto) and name.endswith("half_life"))


@dataclass(frozen=True)
class PrepareSettings(Settings):
    """How raw ratings become the prepared folder."""

    min_user_ratings: int = 10
    """The core filter drops users with fewer ratings."""
    min_movie_ratings: int = 20
    """The core filter drops movies with fewer ratings."""
    cut_points: tuple[float, float, float] | None = None
    """Upper ends of buckets 1, 2 and 3; a rating equal to a cut-point belongs to the lower bucket. None: the same
    shares of the scale as 2.5, 3.5 and 4.5 are of five stars."""
    scale: tuple[float, float] | None = None
    """Lowest and highest rating; others are rejected. None: see `mlrec.dataset.scales`."""
    max_rating: float | None = None
    """The former name of the upper end of the scale: ratings outside (0, max_rating] are rejected."""
    unrated: float | None = None
    """A value that means "seen, but not rated"; such rows are no opinions. None: −1 if all others are above 0."""
    implicit: bool = False
    """Whether the rows are interactions such as clicks, and not ratings: each makes the movie liked."""
    strong_from: float | None = None
    """With `implicit`: from this many interactions on, or this sum of the amounts, a like is a strong one (+2). None:
    from the second interaction on; for durations, from twice the median."""
    columns: tuple[tuple[str, str], ...] = ()
    """What columns of the ratings file mean, as pairs such as ("user", "uid"): user, movie, rating and time, each with
    the name of a column, or its position from 1 if the file has no header. Others are recognized by name."""
    separator: str | None = None
    """What separates the fields of the text files. None: recognized."""
    encoding: str | None = None
    """Encoding of the text files. None: recognized."""
    user_ids: IdsSetting = "auto"
    """Whether user ids are whole numbers or texts; auto looks at them."""
    movie_ids: IdsSetting = "auto"
    """Whether movie ids are whole numbers or texts; auto looks at them."""
    time_format: str = "auto"
    """How times are written: s, ms, us or ns (since 1970), iso, or a format such as "%d/%m/%Y"; auto looks at them."""
    timezone: str = "UTC"
    """The time zone of times that name none, such as "Europe/Berlin"."""
    no_time: OrderWithoutTime | None = None
    """Ignore times: take each user's events in the order of the file, or in a random one."""
    split: SplitKind = "user-time"
    """Split each user's own history by time, or all events at the same two cutoff times."""
    split_ratio: tuple[int, int, int] = (8, 1, 1)
    """Shares of train, validation and test, as whole numbers."""
    ties: TieRule = "movie-id"
    """How to order a user's events of the same second at a cut: by movie id, or at random."""
    random_seed: int = 42
    """Seed for ordering ties, or events without times, at random."""
    user_offset: int = 0
    """Added to every user id that is a whole number, to avoid collisions with an application's own ids."""
    user_prefix: str = ""
    """Put before every user id that is a text, for the same purpose."""
    max_reject_share: float = 0.01
    """The preparation stops if a larger share of a file's rows is bad."""
    memory_limit: str = "1500MB"
    """Memory that DuckDB may use before it spills to disk."""
    threads: int = 0
    """DuckDB's threads; 0 means all processors."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(1 <= self.min_user_ratings <= 10**9, "min_user_ratings must be between 1 and 10^9.")
        _require(1 <= self.min_movie_ratings <= 10**9, "min_movie_ratings must be between 1 and 10^9.")
        self._check_scale()
        self._check_reading()
        _require(
            self.split_ratio[0] >= 1 and min(self.split_ratio) >= 0 and max(self.split_ratio) <= 10**9,
            "split_ratio must be three whole numbers from 0 to 10^9, the first of them above 0.",
        )
        _require(
            self.ties != "random" or self.split == "user-time",
            "ties can be 'random' only with the split user-time; a split by global-time never cuts between ties.",
        )
        _require(0 <= self.random_seed < 2**32, "random_seed must be between 0 and 4294967295.")
        _require(abs(self.user_offset) < 2**62, "user_offset must be below 2^62.")
        _require(
            re.fullmatch(r"\d+(\.\d+)?\s*[KMGT]i?B", self.memory_limit) is not None,
            f"memory_limit must be a size such as 1GB or 800MB, not {shown(self.memory_limit)}.",
        )
        _require(0 <= self.max_reject_share <= 1, "max_reject_share must be between 0 and 1.")
        _require_threads(self.threads)

    def _check_scale(self) -> None:
        if self.scale is not None:
            _require(
                -math.inf < self.scale[0] < self.scale[1] < math.inf,
                f"scale must be two rising numbers, not {self.scale[0]:g}, {self.scale[1]:g}.",
            )
        if self.max_rating is not None:
            _require(self.scale is None, "scale and max_rating cannot both be given.")
            _require(0 < self.max_rating < math.inf, "max_rating must be above 0.")
        if self.cut_points is not None:
            low, middle, high = self.cut_points
            lowest, highest = self.scale or (0.0 if self.max_rating else -math.inf, self.max_rating or math.inf)
            _require(
                lowest <= low < middle < high < highest,
                f"cut-points must rise within the scale, not {low:g}, {middle:g}, {high:g}.",
            )
        if self.implicit:
            _require(
                not any((self.scale, self.max_rating, self.cut_points, self.unrated)),
                "implicit has no scale: leave out scale, max_rating, cut_points and unrated.",
            )
        _require(self.strong_from is None or self.implicit, "strong_from needs implicit.")
        _require(self.strong_from is None or self.strong_from > 0, "strong_from must be above 0.")

    def _check_reading(self) -> None:
        roles = [role for role, _ in self.columns]
        _require(
            set(roles) <= set(COLUMN_ROLES) and len(set(roles)) == len(roles),
            f"columns must name each of {', '.join(COLUMN_ROLES)} at most once, not {shown(self.columns)}.",
        )
        _require(self.separator is None or 1 <= len(self.separator) <= 2, "separator must be one or two characters.")
        _require(
            self.time_format in TIME_FORMATS or "%" in self.time_format,
            f"time_format must be one of {', '.join(TIME_FORMATS)}, or a format such as %d/%m/%Y,"
            f" not {shown(self.time_format)}.",
        )
        _require(
            self.no_time is None or self.split == "user-time",
            "no_time needs the split user-time: there are no moments.",
        )
        _require(
            not (self.user_prefix and self.user_offset),
            "user_prefix is for text ids, and user_offset for whole numbers.",
        )


@dataclass(frozen=True)
class SparkSettings(Settings):
    """Where Spark runs, for the steps that use it."""

    master: str = "local[*]"
    """`local[*]` (this machine, all processors), `local[N]`, `spark://HOST:PORT`, `yarn`, `k8s://…`."""
    conf: tuple[tuple[str, str], ...] = ()
    """Spark's own settings, which override those that mlrec makes."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(
            re.fullmatch(r"local(\[.+\])?|local-cluster\[.+\]|spark://.+|k8s://.+|yarn", self.master) is not None,
            "the Spark master must be local[*], local[N], spark://HOST:PORT, yarn or k8s://…,"
            f" not {shown(self.master)}.",
        )
        for key, value in self.conf:
            _require(
                key.startswith("spark.") and bool(value),
                f"{shown(key)} is not the name of a Spark setting, which begins with 'spark.' and needs a value.",
            )

    @property
    def is_local(self) -> bool:
        """Whether all of Spark runs in one process on this machine."""
        return re.fullmatch(r"local(\[.+\])?", self.master) is not None


@dataclass(frozen=True)
class FoldInSettings(Settings):
    """How a user's vector is solved from the user's history, with movie factors fixed."""

    alpha: float = 2.0
    """Confidence of an event with preference r: c = 1 + alpha · |r| · feedback_weight · decay."""
    regularization: float = 20.0
    """λ in (YᵀY + λI + …) x = …"""
    dislikes: Dislikes = "zero"
    """How to treat a dislike: as preference 0 with confidence (zero), not at all (ignore), or as a like (as-likes)."""
    half_life: float = 7.0
    """An event counts half after this many later events of the same user; infinity: no decay."""
    feedback_weight: float = 5.0
    """How much an event weighs at fold-in, relative to its weight in training."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(self.alpha > 0 and math.isfinite(self.alpha), "alpha must be above 0.")
        _require(self.regularization > 0 and math.isfinite(self.regularization), "regularization must be above 0.")
        _require(self.half_life > 0, "half_life must be above 0.")
        _require(
            self.feedback_weight > 0 and math.isfinite(self.feedback_weight),
            "feedback_weight must be above 0, and finite.",
        )


@dataclass(frozen=True)
class ItemItemSettings(Settings):
    """How the item-item score counts beside that of the user's vector."""

    weight: float = 0.7
    """Its share in the mean of the two, 0 to 0.99."""
    half_life: float = 7.0
    """A like counts half after this many later events of the same user; infinity: no decay."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(0 <= self.weight <= MOST_ITEM_ITEM, f"item_item_weight must be between 0 and {MOST_ITEM_ITEM}.")
        _require(self.half_life > 0, "item_item_half_life must be above 0.")


def item_item_regularization_for(n_likes: int, n_movies: int) -> float:
    """λ of the item-item weights, for the number of likes and of the movies that they are of.

    It grows with the square root of the likes per movie, as noise in their counts does. See docs/decisions/0017.
    """
    return ITEM_ITEM_REGULARIZATION * math.sqrt(max(n_likes, 1) / max(n_movies, 1))


def regularization_for(n_likes: int) -> float:
    """λ of ALS for data with the given number of likes: 20 for the demo data's 31,000, and larger for more likes.

    λ acts as a threshold on the singular values of the data, and the singular values of noise grow with the data. The
    exponent comes from a study of several sizes: docs/decisions/0007.
    """
    return FoldInSettings.regularization * math.pow(max(n_likes, 1) / 31_000, 0.45)


LIKES_FOR_A_START = 100_000
"""From this many likes on, ALS starts on a part of the users by default. See docs/decisions/0022."""
START_SHARE = 0.2
"""The largest share of the users that it starts on."""
START_LIKES = 800_000
"""So many likes are enough for a start, and then one sweep over all users is. See docs/decisions/0028."""
START_ITERATIONS = 12
"""Sweeps of the start over these users."""
ITERATIONS = 10
"""Sweeps over all users without a start."""
ITERATIONS_AFTER_START = 3
"""Sweeps over all users after a start with fewer likes."""
ITERATIONS_AFTER_LARGE_START = 1
"""Sweeps over all users after a start with so many likes."""
ITERATIONS_OF_WARM_START, ITERATIONS_OF_LARGE_WARM_START = 3, 2
"""Sweeps over all users from the movie factors of another model; the second on data that would have such a start. See
docs/decisions/0023."""


def start_share_for(n_likes: int) -> float:
    """Share of the users that ALS starts on, for data with the given number of likes; 0: no start."""
    if n_likes < LIKES_FOR_A_START:
        return 0.0
    return min(START_SHARE, math.ceil(10_000 * START_LIKES / n_likes) / 10_000)


@dataclass(frozen=True)
class TrainSettings(Settings):
    """How a model is trained and how its users are folded in."""

    factors: int = 64
    """Dimensions of the movie and user vectors."""
    regularization: float | None = None
    """λ of ALS, one constant for all users and movies; also used at fold-in. None: see `regularization_for`."""
    alpha: float = FoldInSettings.alpha
    """Confidence of a training event with preference r: C = 1 + alpha · |r|."""
    iterations: int | Auto = "auto"
    """Sweeps of ALS over all users and movies. auto: 10 from random factors; 3 after a start on a part of the users, or
    1 if the start has 800,000 likes; 3 from the movie factors of another model, or 2 from 4,000,000 likes on."""
    start_share: float | Auto = "auto"
    """Share of the users that ALS starts on, with 12 sweeps over these users alone; 0: no start. auto: 0.2 from 100,000
    likes on, and no start below; from 4,000,000 likes on, the share that has 800,000."""
    dislikes: Dislikes = "ignore"
    """How to treat a dislike in training; see `FoldInSettings`."""
    fold_in_dislikes: Dislikes = FoldInSettings.dislikes
    """How to treat a dislike at fold-in."""
    half_life: float | Auto = "auto"
    """At fold-in, an event counts half after this many later events of the same user; infinity: no decay. auto: chosen
    on validation."""
    feedback_weight: float | Auto = "auto"
    """How much an event weighs at fold-in, relative to its weight in training. auto: chosen on validation."""
    item_item: ItemItemUse = "on"
    """Whether the model has a second opinion: item-item weights beside the vectors; see `mlrec.ranking.item_item`."""
    item_item_weight: float | Auto = "auto"
    """The share of the item-item score in a user's scores, 0 to 0.99. auto: chosen on validation."""
    item_item_half_life: float | Auto = "auto"
    """In the item-item score, a like counts half after this many later events of the same user. auto: chosen on
    validation."""
    user_vectors: UserVectors = "fold-in"
    """Saved user vectors: the exact fold-in that serving uses, or those of ALS (as in the baseline preset)."""
    popularity_half_life: float = 1000.0
    """In popularity, a like counts half after this many days; infinity: dates do not matter."""
    movies: KnownMovies = "all"
    """The movies that the model knows: all of the movies file, or only those of the core, which ALS learns."""
    on: TrainOn = "train"
    """Train on the train split, for evaluation, or on all data, for production."""
    random_seed: int = 42
    """Seed of the initial factors."""
    threads: int = 0
    """Threads of ALS and of the fold-in; 0 means all processors."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(1 <= self.factors <= 4096, "factors must be between 1 and 4096.")
        _require(
            self.iterations == "auto" or 1 <= self.iterations <= _MOST_SWEEPS,
            f"iterations must be between 1 and {_MOST_SWEEPS:,}.",
        )
        _require(
            self.start_share == "auto" or 0 <= self.start_share < 1,
            "start_share must be 0 (no start), or a share below 1.",
        )
        _require(self.popularity_half_life > 0, "popularity_half_life must be above 0.")
        _require(0 <= self.random_seed < 2**32, "random_seed must be between 0 and 4294967295.")
        _require_threads(self.threads)
        checked = self if self.regularization is not None else self.resolved(1)
        _ = checked.fold_in, checked.second_opinion  # these check their settings

    @property
    def trained_on(self) -> tuple[SplitName, ...]:
        """The splits that the model learns from."""
        return SPLITS if self.on == "all" else ("train",)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`. Missing settings get their defaults; see `Settings.from_json`.

        A number of iterations without a start share is from a version that had no start, and means the same as then.
        """
        if isinstance(values, Mapping) and values.get("iterations", "auto") != "auto":
            values = {"start_share": 0.0, **values}
        return super().from_json(values)

    def resolved(self, n_likes: int) -> Self:
        """The same settings with values for what follows the data, for data with the given number of likes.

        These are the regularization, the start on a part of the users, and the iterations.
        """
        share, iterations = self.start_share, self.iterations
        if share == "auto":
            share = start_share_for(n_likes)
        if iterations == "auto":
            is_large = n_likes * share >= START_LIKES
            after_start = ITERATIONS_AFTER_LARGE_START if is_large else ITERATIONS_AFTER_START
            iterations = after_start if share else ITERATIONS
        regularization = regularization_for(n_likes) if self.regularization is None else self.regularization
        return replace(self, regularization=regularization, start_share=share, iterations=iterations)

    def without_start(self) -> Self:
        """The same settings for a fit that cannot start on a part of the users: that of Spark.

        Raises
        ------
        SettingsError
            If they have such a start.
        """
        if self.start_share not in ("auto", 0):
            raise SettingsError(
                "Spark's ALS cannot start on a part of the users: it takes no factors to begin with.",
                "Set start_share to 0, or train with the local engine.",
            )
        return replace(self, start_share=0.0)

    def warm_started(self, n_likes: int) -> Self:
        """The same settings for a fit from the movie factors of another model, for data with a number of likes.

        Raises
        ------
        SettingsError
            If they have a start on a part of the users.
        """
        if self.start_share not in ("auto", 0):
            raise SettingsError(
                "A warm start and a start on a part of the users exclude each other.", "Leave out one of the two."
            )
        iterations = self.iterations
        if iterations == "auto":
            is_large = n_likes * START_SHARE >= START_LIKES
            iterations = ITERATIONS_OF_LARGE_WARM_START if is_large else ITERATIONS_OF_WARM_START
        return replace(self, start_share=0.0, iterations=iterations)

    @property
    def sweeps(self) -> int:
        """Sweeps over all users. The settings must be resolved."""
        assert self.iterations != "auto", "iterations follow the data: resolve them first"
        return self.iterations

    @property
    def starts_on(self) -> float:
        """Share of the users that ALS starts on; 0: no start. The settings must be resolved."""
        assert self.start_share != "auto", "the start follows the data: resolve it first"
        return self.start_share

    @property
    def left_to_size(self) -> tuple[str, ...]:
        """The settings of the fit, apart from the regularization, that follow the number of likes."""
        return tuple(name for name in FOLLOWING if getattr(self, name) == "auto")

    @property
    def left_to_training(self) -> tuple[str, ...]:
        """The settings that are chosen on validation."""
        names = CHOSEN if self.item_item == "on" else [name for name in CHOSEN if not name.startswith("item_item")]
        return tuple(name for name in names if getattr(self, name) == "auto")

    def started(self) -> Self:
        """The same settings, with the values to start from in place of those that are chosen on validation."""
        return self.with_values({name: _START[name] for name in self.left_to_training})

    def with_values(self, values: Mapping[str, float]) -> Self:
        """The same settings, with other values of some numbers."""
        changes: dict[str, Any] = dict(values)
        return replace(self, **changes)

    @property
    def fold_in(self) -> FoldInSettings:
        """The fold-in settings of a model with these settings, which must be resolved.

        In place of what is chosen on validation, they have the values to start from.
        """
        assert self.regularization is not None, "regularization follows the data: resolve it first"
        return FoldInSettings(
            alpha=self.alpha,
            regularization=self.regularization,
            dislikes=self.fold_in_dislikes,
            half_life=_number(self.half_life, "half_life"),
            feedback_weight=_number(self.feedback_weight, "feedback_weight"),
        )

    @property
    def second_opinion(self) -> ItemItemSettings | None:
        """How the item-item score counts; None if there is none.

        In place of what is chosen on validation, there are the values to start from.
        """
        rule = ItemItemSettings(
            weight=_number(self.item_item_weight, "item_item_weight"),
            half_life=_number(self.item_item_half_life, "item_item_half_life"),
        )
        return rule if self.item_item == "on" else None

    @classmethod
    def preset(cls, name: PresetName, **overrides: Any) -> Self:
        """Return the settings of a preset, with single values replaced.

        `baseline` is the published design that mlrec started from: 64 factors, α 15, λ 0.1, 15 iterations, dislikes
        trained as likes, no decay, and the user vectors of ALS. See docs/decisions/0001.
        """
        name = converted("preset", name, PresetName)
        settings = cls()
        if name == "baseline":
            settings = cls(
                factors=64,
                regularization=0.1,
                alpha=15.0,
                iterations=15,
                start_share=0.0,
                dislikes="as-likes",
                fold_in_dislikes="as-likes",
                half_life=math.inf,
                feedback_weight=1.0,
                user_vectors="trained",
                popularity_half_life=math.inf,
                movies="core",
                item_item="off",
            )
        return replace(settings, **overrides)


CHOSEN = ("half_life", "feedback_weight", "item_item_weight", "item_item_half_life")
"""The training settings that are chosen on validation unless they are given."""
FOLLOWING = ("iterations", "start_share")
"""The training settings that follow the number of likes unless they are given, apart from the regularization."""
_START: Mapping[str, float] = {
    "half_life": FoldInSettings.half_life,
    "feedback_weight": FoldInSettings.feedback_weight,
    "item_item_weight": ItemItemSettings.weight,
    "item_item_half_life": ItemItemSettings.half_life,
}


def _number(value: float | Auto, name: str) -> float:
    return _START[name] if value == "auto" else value


@dataclass(frozen=True)
class EvaluateSettings(Settings):
    """How a model is evaluated."""

    protocol: ProtocolName | None = None
    """How events are divided into those learned from, those known and those to be found; None: as in the prepared
    folder."""
    split: HeldOutSplit = "val"
    """The held-out events, or with held-out users the group of users, whose movies are to be found."""
    ks: tuple[int, ...] | None = None
    """Cutoffs K; None: `DEFAULT_KS` of the protocol."""
    held_out_share: float = 0.1
    """Share of users that the held-out-users protocol excludes from training, for each of val and test."""
    relevance: Relevance = "liked"
    """Which held-out movies are relevant: the liked ones, or all rated ones (as in the baseline's own evaluation)."""
    relevance_within: RelevanceWithin = "all"
    """Whether all movies can be listed and relevant, or only those of the core (the figure of earlier versions)."""
    history: History = "known"
    """The known events on test: everything before it (train + val), or train alone. On val, both mean train."""
    published_ndcg: bool = False
    """Also report NDCG divided by the ideal of the retrieved hits, the inflated figure published for the baseline."""
    baselines: tuple[BaselineName, ...] | None = None
    """Baselines to compare with; None: those that take only seconds on this data."""
    cosine_neighbours: int = 100
    """Number of neighbours per movie that item-item cosine keeps."""
    ease_regularization: float = 200.0
    """λ of EASE; larger data needs a larger value."""
    users: Judged = "all"
    """Which users to evaluate: all, or those outside the holdout, or the holdout alone."""
    split_on: SplitOn = "core"
    """Which events count when histories are split: those of the core, as in the prepared folder, or all. With all, what
    is to be found does not depend on the filter."""
    shuffle_sittings: bool = False
    """Whether to deal the order of events within each sitting anew before the data is divided."""
    seeds: int = 1
    """With how many random seeds to train the model, to see how far its figures depend on the seed. All but the first
    are trained in memory."""
    sample: int = 0
    """Number of users to evaluate, drawn at random; 0: all."""
    resamples: int = 2000
    """Number of bootstrap samples of users for the confidence intervals."""
    random_seed: int = 42
    """Seed of the sample and of the bootstrap."""
    threads: int = 0
    """Threads of scoring; 0 means all processors."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(
            self.ks is None or (bool(self.ks) and min(self.ks) >= 1 and max(self.ks) <= _MOST_PLACES),
            f"every k must be between 1 and {_MOST_PLACES:,}.",
        )
        _require(self.ks is None or len(set(self.ks)) == len(self.ks), "each k can be given only once.")
        _require(0 < self.held_out_share < 0.5, "held_out_share must be above 0 and below 0.5.")
        _require(self.cosine_neighbours >= 1, "cosine_neighbours must be at least 1.")
        _require(
            self.ease_regularization > 0 and math.isfinite(self.ease_regularization),
            "ease_regularization must be above 0.",
        )
        _require(
            self.protocol != "held-out-users" or self.history == "known",
            "history cannot be set with the protocol held-out-users, which defines the known events itself.",
        )
        _require(1 <= self.seeds <= 100, "seeds must be between 1 and 100.")
        _require(self.sample >= 0, "sample must be 0 (all users) or more.")
        _require(self.resamples >= 1000, "resamples must be at least 1000.")
        _require(0 <= self.random_seed < 2**32, "random_seed must be between 0 and 4294967295.")
        _require_threads(self.threads)

    @property
    def history_splits(self) -> tuple[SplitName, ...]:
        """The splits whose events the models may use. Their movies are excluded from the lists."""
        return ("train", "val") if self.split == "test" and self.history == "known" else ("train",)


@dataclass(frozen=True)
class GateSettings(Settings):
    """When a new model may replace the published one."""

    largest_loss: float = 0.05
    """The largest loss of NDCG@10 on validation that is accepted, as a share of the published model's figure."""

    def __post_init__(self) -> None:
        """Check the value."""
        super().__post_init__()
        _require(0 <= self.largest_loss < 1, "largest_loss must be a share from 0 to below 1, such as 0.05.")


@dataclass(frozen=True)
class TuneSettings(Settings):
    """How long, and on what data, to search for training settings."""

    trials: int = 100
    """Total number of completed trials, including earlier runs of the study."""
    minutes: float = math.inf
    """No trial begins after this many minutes of this run; 0 and infinity: no limit."""
    study: str = "main"
    """Name of the study, and of its files."""
    sample: int = 10_000
    """Number of users that each trial is evaluated on, drawn at random; 0: all. The final evaluation uses all users."""
    random_seed: int = 42
    """Seed of the search, of the sample, and of the initial factors of each trial."""
    threads: int = 0
    """Threads for ALS and for evaluation; 0 means all processors."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(self.trials >= 1, "trials must be at least 1.")
        _require(self.minutes >= 0, "minutes must be 0 (no limit) or more.")
        _require(
            re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", self.study) is not None,
            "the name of a study must be up to 100 letters, digits, '.', '_' and '-', the first a letter or digit,"
            f" not {shown(self.study)}.",
        )
        _require(self.sample >= 0, "sample must be 0 (all users) or more.")
        _require(0 <= self.random_seed < 2**32, "random_seed must be between 0 and 4294967295.")
        _require_threads(self.threads)


@dataclass(frozen=True)
class ReplaySettings(Settings):
    """How learning from swipes is evaluated on users whom the model has never seen."""

    held_out_share: float = 0.2
    """Share of all users whose events are replayed: those whose first event is the latest."""
    sample: int = 2_000
    """Largest number of users to replay, drawn at random; 0: all."""
    k: int = DEFAULT_TOP_N
    """A liked movie among the first k of a list is a hit."""
    relevance_within: RelevanceWithin = "all"
    """Whether all movies can be listed and predicted, or only those of the core (the figure of earlier versions)."""
    resamples: int = 2000
    """Number of bootstrap samples of users for the confidence intervals."""
    random_seed: int = 42
    """Seed of the sample and of the bootstrap."""
    threads: int = 0
    """Threads for training and replay; 0 means all processors."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(0 < self.held_out_share < 1, "held_out_share must be above 0 and below 1.")
        _require(self.sample >= 0, "sample must be 0 (all held-out users) or more.")
        _require(1 <= self.k <= _MOST_PLACES, f"k must be between 1 and {_MOST_PLACES:,}.")
        _require(self.resamples >= 1000, "resamples must be at least 1000.")
        _require(0 <= self.random_seed < 2**32, "random_seed must be between 0 and 4294967295.")
        _require_threads(self.threads)


@dataclass(frozen=True)
class GradientSettings(Settings):
    """The step u ← u + η · p̃ · m of the gradient rule."""

    learning_rate: float = 0.05
    """η."""
    norm: NormRule = "cap"
    """After a step the vector is at most max_norm long (cap), or exactly 1 (unit)."""
    max_norm: float = 10.0
    """The cap."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(
            0 < self.learning_rate <= _LONGEST_STEP, f"learning_rate must be above 0 and at most {_LONGEST_STEP:g}."
        )
        _require(0 < self.max_norm <= _LONGEST_STEP, f"max_norm must be above 0 and at most {_LONGEST_STEP:g}.")


@dataclass(frozen=True)
class ServeSettings(Settings):
    """How a recommender learns from swipes and ranks."""

    rule: UpdateRule = "fold-in"
    """How a user's vector is updated: by the exact solve, or by gradient steps."""
    gradient: GradientSettings = field(default_factory=GradientSettings)
    """The step of the gradient rule."""
    handover: int = 20
    """Number of opinions from which popularity no longer affects a user's scores. Without opinions, only popularity
    counts; see `mlrec.ranking.ranker.popular_weight`."""
    cold_diversity: float = 0.2
    """How far a new user's list is spread over genres, 0 to 1."""
    refresh_seconds: float = 60.0
    """How often a long-lived recommender checks for a newly published model; infinity: only on request."""
    cached_users: int = 10_000
    """Number of users whose state is kept in memory between calls."""
    store_seconds: float | None = None
    """Most seconds that a call waits for the store: for another process's lock on a file, or for an answer of a server.
    None: 30 for a file and 5 for a server. A service that answers people waits less."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(self.handover >= 0, "handover must be 0 or more.")
        _require(0 <= self.cold_diversity <= 1, "cold_diversity must be between 0 and 1.")
        _require(self.refresh_seconds >= 0, "refresh_seconds must be 0 or more.")
        _require(self.cached_users >= 0, "cached_users must be 0 or more.")
        seconds = self.store_seconds
        _require(seconds is None or 0 < seconds <= 3600, "store_seconds must be more than 0, and at most an hour.")


@dataclass(frozen=True, kw_only=True)
class ServiceSettings(Settings):
    """How `mlrec serve` serves."""

    data_dir: str = DEFAULT_DATA_DIR
    """The data directory."""
    model: str | None = None
    """A model folder to serve instead of the published model."""
    store: str | None = None
    """The store of swipes, as in `Recommender.open`."""
    host: str = "127.0.0.1"
    """Address to listen on. Any other than a loopback address needs API keys."""
    port: int = 8000
    """Port to listen on; 0: any free one."""
    workers: int = 1
    """How many processes serve."""
    api_key_file: str | None = None
    """File of API keys. None: whoever reaches the address may do everything."""
    page: bool = True
    """Whether to serve the page to swipe on."""
    poster_url: str | None = None
    """Address of posters, with {tmdb_id} or {imdb_id} in it. None: drawn posters."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may use the API from a browser."""
    allowed_hosts: tuple[str, ...] = ()
    """Names under which the service answers besides those of the loopback address, while there are no API keys."""
    rate_limit: int = 0
    """Most requests a minute from each key or address; 0: no limit."""
    wait_seconds: float = 2.0
    """Most seconds that a request waits for the store."""
    grace_seconds: float = 10.0
    """Most seconds that requests in flight get when the service stops."""
    refresh_seconds: float = 10.0
    """How often each worker checks for a newly published model."""
    access_log: bool = True
    """Whether each request is logged."""

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        _require(0 <= self.port <= 65_535, "port must be between 0 and 65535.")
        _require(1 <= self.workers <= _MOST_WORKERS, f"workers must be between 1 and {_MOST_WORKERS}.")
        _require(self.rate_limit >= 0, "rate_limit must be 0 or more.")
        _require(0 < self.wait_seconds <= 60, "wait_seconds must be more than 0, and at most 60.")
        _require(0 < self.grace_seconds <= 3600, "grace_seconds must be more than 0, and at most an hour.")
        for origin in self.cors_origins:
            _require(
                origin == "*"
                or bool(re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?", origin)),
                f"cors_origins must be like https://app.example.com, not {shown(origin)}.",
            )
        if (url := self.poster_url) is not None:
            is_template = re.fullmatch(r"https?://[^\s/;,'\"]+/[^\s'\"]*\{(tmdb_id|imdb_id)\}[^\s'\"]*", url)
            _require(bool(is_template), "poster_url must be like https://images.example.com/{tmdb_id}.jpg")

    @property
    def serve(self) -> ServeSettings:
        """How the recommender of each worker serves."""
        return ServeSettings(refresh_seconds=self.refresh_seconds, store_seconds=self.wait_seconds)
