"""The prepared data as the report shows it: what was read, what is left after filtering, and when it happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrec.artifacts.prepared import REMEDY, Cutoffs, Manifest, StepCount
from mlrec.dataset.events import Events
from mlrec.dataset.reading import read_prepared
from mlrec.errors import IncompatibleFormatError
from mlrec.settings import SPLITS, SplitName
from mlrec.workspace import Workspace


@dataclass(frozen=True)
class Months:
    """Number of events by calendar month (UTC). Months without events are omitted.

    Attributes
    ----------
    starts
        First day of each month, ascending: "2016-10-01".
    days
        Number of days in each month.
    events
        Split → number of events in each month.
    """

    starts: tuple[str, ...]
    days: tuple[int, ...]
    events: Mapping[SplitName, tuple[int, ...]]


@dataclass(frozen=True)
class DataPicture:
    """An overview of prepared data. What the engine did not count is empty.

    Attributes
    ----------
    fingerprint
        Identifies the data: the same input and settings give the same fingerprint.
    prepared_at
        When it was prepared (ISO 8601), or an empty string.
    files
        Raw file → its SHA-256.
    settings
        The settings it was prepared with.
    rating_histogram
        Rating → number of ratings that were read, ascending.
    liked_above
        Ratings above this value are likes; None if the settings do not say.
    steps
        What is left after each step, in order.
    rejects
        Number of rows that could not be used.
    splits
        Split → number of events.
    cutoff_times
        The times at which the split cuts, if they are the same for all users.
    months
        Number of events by month.
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
    """Read the overview of a workspace's prepared data. Raises the errors of `read_prepared`."""
    data = read_prepared(workspace)
    try:
        return picture_of(data.manifest, data.events.only(data.events.in_core))
    except ValueError as error:  # a rating in the histogram is not a number
        raise IncompatibleFormatError(f"{workspace.prepared.manifest} is damaged: {error!r}.", REMEDY) from error


def picture_of(manifest: Manifest, events: Events) -> DataPicture:
    """Return an overview of prepared data: the counts of its manifest, and its events by month."""
    settings = manifest.document["settings"]  # as they were written: an engine may not write all of them
    histogram = {float(rating): count for rating, count in manifest.rating_histogram.items()}
    return DataPicture(
        fingerprint=manifest.fingerprint,
        prepared_at=manifest.created_at,
        files={file.file: file.sha256 for file in manifest.input.files},
        settings=settings,
        rating_histogram=dict(sorted(histogram.items())),
        liked_above=manifest.settings.cut_points[1] if manifest.settings.cut_points else None,
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
