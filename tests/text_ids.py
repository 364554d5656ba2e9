"""A model with text ids that is otherwise the same as one with whole numbers: its texts sort as the numbers do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlrec.artifacts import model_folder, registry
from mlrec.ids import array_of, public
from mlrec.workspace import ModelFiles, Workspace

TEXT_KEYS = ("user_id", "movie_id")


def user_text(user_id: int) -> str:
    """A user id with characters that shells, paths and CSV treat in their own way."""
    return f"u/{user_id:07d} 'ü\","


def movie_text(movie_id: int) -> str:
    """A movie id of digits alone, which must not be read as a number."""
    return f"{movie_id:07d}"


def with_text_ids(source: ModelFiles, workspace: Workspace, *, users: bool = True, movies: bool = True) -> None:
    """Write a model into a data directory with texts in place of the numbers, and publish it."""
    model = model_folder.open_model(source)
    changed: dict[str, Any] = {}
    if users:
        changed["user_ids"] = array_of(map(user_text, public(model.user_ids)), "text")
    if movies:
        changed["movie_ids"] = array_of(map(movie_text, public(model.movie_ids)), "text")
    files = workspace.model(model.model_id)
    files.root.mkdir(parents=True)
    matrix = source.train_matrix.read_bytes()
    model_folder.write_files(files, replace(model, **changed), lambda file: file.write(matrix))
    registry.publish(workspace, model.model_id)


def in_numbers(value: Any) -> Any:
    """A document with text ids, with the numbers that they stand for."""
    if isinstance(value, list | tuple):
        return [in_numbers(one) for one in value]
    if isinstance(value, dict):
        return {key: _number(one) if key in TEXT_KEYS else in_numbers(one) for key, one in value.items()}
    return value


def _number(public_id: Any) -> Any:
    return int(public_id.removeprefix("u/")[:7]) if isinstance(public_id, str) else public_id
