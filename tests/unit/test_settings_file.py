"""Training settings in a file: written and read again, taken from a model, and refused with the key named."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mlrec.artifacts.settings_file import read_settings, write_settings
from mlrec.errors import SettingsFileError
from mlrec.settings import TrainSettings


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(),
        TrainSettings(factors=72, regularization=31.5, alpha=0.7, dislikes="zero", half_life=math.inf, on="all"),
        TrainSettings.preset("baseline"),
    ],
)
def test_written_settings_are_read_again(tmp_path, settings):
    write_settings(tmp_path / "best.json", settings, {"name": "main"})
    assert read_settings(tmp_path / "best.json") == settings


def test_what_is_not_in_the_file_has_its_default(tmp_path):
    (tmp_path / "some.json").write_text('{"settings": {"alpha": 3, "half_life": null}}')
    assert read_settings(tmp_path / "some.json") == TrainSettings(alpha=3, half_life=math.inf)


def test_iterations_of_a_file_without_a_start_are_all_sweeps(tmp_path):
    """So every file from before there was a start means what it meant then."""
    (tmp_path / "old.json").write_text('{"settings": {"iterations": 10}}')
    assert read_settings(tmp_path / "old.json") == TrainSettings(iterations=10, start_share=0)


def test_what_followed_the_size_of_the_data_follows_it_again(tmp_path):
    settings = {"iterations": 4, "start_share": 0.2}
    document = {"settings": settings, "left_to_size": ["iterations", "start_share", "of a later version"]}
    (tmp_path / "info.json").write_text(json.dumps(document))
    assert read_settings(tmp_path / "info.json") == TrainSettings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("\xff", "not JSON"),
        ("[1]", "no key 'settings'"),
        ('{"factors": 64}', "no key 'settings'"),
        ('{"settings": 5}', "no key 'settings'"),
        ('{"settings": {"factor": 64}}', "settings.factor is unknown"),
        ('{"settings": {"factors": "64"}}', "settings.factors must be a whole number, not '64'"),
        ('{"settings": {"factors": 64.5}}', "settings.factors must be a whole number, not 64.5"),
        ('{"settings": {"factors": true}}', "settings.factors must be a whole number, not True"),
        ('{"settings": {"factors": null}}', "settings.factors must be a whole number, not None"),
        ('{"settings": {"alpha": [2]}}', "settings.alpha must be a number, not [2]"),
        ('{"settings": {"dislikes": 1}}', "settings.dislikes must be one of zero, ignore, as-likes, not 1"),
        ('{"settings": {"alpha": -1}}', "alpha must be above 0"),
        ('{"settings": {"alpha": NaN}}', "alpha must be above 0"),
        ('{"settings": {"dislikes": "never"}}', "dislikes must be one of"),
        ('{"settings": {"iterations": "many"}}', "settings.iterations must be a number or auto, not 'many'"),
        ('{"settings": {"start_share": 2}}', "settings.start_share must be 0 (no start), or a share below 1"),
        ('{"settings": {}, "left_to_size": "iterations"}', "left_to_size must be a list, not 'iterations'"),
        (
            '{"settings": {}, "regularization_follows_data": 1}',
            "regularization_follows_data must be true or false, not 1",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_key(tmp_path, text, words):
    (tmp_path / "bad.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsFileError) as caught:
        read_settings(tmp_path / "bad.json")
    assert words in caught.value.message
    assert str(tmp_path / "bad.json") in caught.value.message


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    with pytest.raises(SettingsFileError, match="There is no settings file"):
        read_settings(tmp_path / "none.json")
    with pytest.raises(SettingsFileError, match="is a folder"):
        read_settings(tmp_path)


def test_a_file_without_an_end_is_not_read_to_its_end(tmp_path):
    (tmp_path / "large.json").write_bytes(b" " * (2 << 20))
    paths = [tmp_path / "large.json", *(path for path in (Path("/dev/zero"), Path("/dev/full")) if path.exists())]
    for path in paths:
        with pytest.raises(SettingsFileError, match="is larger than 1 MiB"):
            read_settings(path)


def test_the_written_file_says_its_format_and_origin(tmp_path):
    write_settings(tmp_path / "best.json", TrainSettings(), {"name": "main"})
    document = json.loads((tmp_path / "best.json").read_text())
    assert document["format_version"] == 1
    assert document["study"] == {"name": "main"}
    assert set(document["settings"]) == set(TrainSettings().to_json())
