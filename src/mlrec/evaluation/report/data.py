"""The prepared data as a report shows it: what was read, what the filters left, and when it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.prepared import REMEDY, Cutoffs, Manifest, StepCount
from mlrec.dataset.reading import Events, read_prepared
from mlrec.errors import IncompatibleFormatError
from mlrec.settings import SPLITS, SplitName
from mlrec.workspace import Workspace


@dataclass(frozen=True)
class Months:
    """Events by calendar month (UTC); a month without an event is left out.

    Attributes
    ----------
    starts
        First day of each month, ascending: "2016-10-01".
    days
        How many days each has.
    events
        Split → events in each month.
    """

    starts: tuple[str, ...]
    days: tuple[int, ...]
    events: Mapping[SplitName, tuple[int, ...]]


@dataclass(frozen=True)
class DataPicture:
    """Prepared data at a glance. What another engine has not counted is empty.

    Attributes
    ----------
    fingerprint
        Names this data: the same input and settings have the same one.
    prepared_at
        When it was prepared, ISO 8601, or an empty string.
    files
        Raw file → its SHA-256.
    settings
        How it was prepared.
    rating_histogram
        Rating → how many were read, ascending.
    liked_above
        A rating above this one is a like; None if the settings do not say.
    steps
        What each step left, in order.
    rejects
        Rows that could not be used.
    splits
        Split → events.
    cutoff_times
        Where the split cuts, if it falls at the same times for everybody.
    months
        When the events happened.
    """

    fingerprint: str
    prepared_at: str
    files: Mapping[str, str]
    settings: Mapping[str, Any]
    rating_histogram: Mapping[float, int]
    liked_above: float | None
    steps: tuple[StepCount, ...]
    rejects: int
    splits: Mapping[SplitName, int]
    cutoff_times: Cutoffs | None
    months: Months


def read_picture(workspace: Workspace) -> DataPicture:
    """Take the picture of a workspace's prepared data. Raises as `read_prepared` does."""
    data = read_prepared(workspace)
    try:
        return picture_of(data.manifest, data.events)
    except ValueError as error:  # a rating in the histogram that is no number
        raise IncompatibleFormatError(f"{workspace.prepared.manifest} is damaged: {error!r}.", REMEDY) from error


def picture_of(manifest: Manifest, events: Events) -> DataPicture:
    """Take the picture of prepared data: the counts of its manifest, and its events by month."""
    settings = manifest.document["settings"]  # as they were written: another engine may not have all
    histogram = {float(rating): count for rating, count in manifest.rating_histogram.items()}
    return DataPicture(
        fingerprint=manifest.fingerprint,
        prepared_at=manifest.created_at,
        files={file.file: file.sha256 for file in manifest.input.files},
        settings=settings,
        rating_histogram=dict(sorted(histogram.items())),
        liked_above=manifest.settings.cut_points[1] if "cut_points" in settings else None,
        steps=manifest.steps,
        rejects=manifest.rejects.rows,
        splits=manifest.splits,
        cutoff_times=manifest.moments,
        months=months_of(events.timestamp, events.split),
    )


def months_of(timestamp: NDArray[np.int64], split: NDArray[np.int8]) -> Months:
    """Count events by calendar month and split.

    Parameters
    ----------
    timestamp
        Epoch seconds, (events,), in any order.
    split
        Position in `SPLITS`, (events,).
    """
    months, position = np.unique(timestamp.astype("datetime64[s]").astype("datetime64[M]"), return_inverse=True)
    counts = np.bincount(position * len(SPLITS) + split, minlength=len(months) * len(SPLITS))
    by_split = counts.reshape(len(months), len(SPLITS))
    starts = months.astype("datetime64[D]")
    days = (months + 1).astype("datetime64[D]") - starts
    return Months(
        starts=tuple(starts.astype(str).tolist()),
        days=tuple(days.astype(np.int64).tolist()),
        events={name: tuple(by_split[:, column].tolist()) for column, name in enumerate(SPLITS)},
    )
