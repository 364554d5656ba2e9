"""Checksums of archives."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from mlrec.errors import FetchError
from tests.integration.fetch.mirror import ARCHIVES, TABLE, check_fetched, fetch


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_checksum(workspace, mirror, archives, kind):
    fetch(workspace, "ml-1m", archives)
    sums: dict[str, Any] = {"sha256": None, kind: "0" * 32}
    wrong = replace(TABLE["ml-20m"], **sums)
    got = hashlib.new(kind, ARCHIVES["ml-20m"]).hexdigest()
    with pytest.raises(FetchError, match=f"its {kind} is {got}, and should be {'0' * 32}") as caught:
        fetch(workspace, "ml-20m", mirror.url, editions=TABLE | {"ml-20m": wrong})
    assert "another mirror" in caught.value.hint
    check_fetched(workspace, "ml-1m")  # as before; no part is left


def test_a_local_zip_with_a_wrong_checksum_is_left_alone(workspace, archives):
    (archives / "ml-20m.zip").write_bytes(ARCHIVES["ml-20m"] + b"x")
    with pytest.raises(FetchError, match="should be"):
        fetch(workspace, "ml-20m", archives)
    assert (archives / "ml-20m.zip").exists()


def test_another_checksum_of_an_edition_that_changes_is_a_warning(workspace, mirror):
    soft = replace(TABLE["ml-20m"], bytes=1, sha256="0" * 64, checksum_is_firm=False)
    result = fetch(workspace, "ml-20m", mirror.url, editions={"ml-20m": soft})
    assert result.sha256 is not None
    assert len(result.warnings) == 1
    assert result.sha256 in result.warnings[0]
    check_fetched(workspace, "ml-20m")
