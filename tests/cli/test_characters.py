"""Output in encodings that lack characters of mlrec uses readable substitutes, and --json loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrec.cli.characters import READABLE
from tests.cli.test_commands import command_words
from tests.cli.test_swipe import NEW, RIGHT, Terminal
from tests.command_line import MLREC

ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "a C locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}
TITLE = "Amélie – œuvre “complète” 七人 ▲ (λ)"

CALLS = [
    ["doctor"],
    ["models", "list"],
    ["models", "show"],
    ["search", "amelie"],
    ["search", "amelie", "--json"],
    ["search", TITLE],
    ["similar", "4973"],
    ["similar", TITLE],
    ["recommend", "--user", "42", "--explain"],
    ["recommend", "--like", "4973", "--explain"],
    ["recommend", "--user", "42", "--genre", TITLE],
    ["swipe", "--user", "9000001", "--movie", "4973", "--preference", "−2"],
    ["swipe", "--user", "9000001"],
    ["history", "--user", "9000001"],
    ["history", "--user", "9000001", "--csv", "-"],
    ["users"],
    ["users", "export", "-"],
    ["users", "import", f"/none/{TITLE}.csv"],
    ["evaluate", "--baseline", "popularity"],
    ["evaluate", "--replay", "--held-out-share", "0.02"],
    ["prepare", "--raw", f"/none/{TITLE}"],
    [TITLE],
    [],
    *([*words, "--help"] for words in command_words()),
]
PROGRAM = """
import json, os, sys, traceback
from mlrec.cli import main

codes = []
for words in json.loads(os.environ["CALLS"]):
    sys.argv = ["mlrec", *words]
    try:
        main()
    except SystemExit as exit:
        codes.append(exit.code or 0)
    except BaseException:
        traceback.print_exc()
        codes.append(1)
with open(os.environ["CODES"], "w") as file:
    json.dump(codes, file)
"""


@pytest.mark.parametrize("name", ENCODINGS)
def test_no_command_ends_because_of_a_character(name, few_copy, tmp_path):
    calls = [["--data-dir", str(few_copy.root), *words] for words in CALLS]
    environment = {"CALLS": json.dumps(calls), "CODES": str(tmp_path / "codes"), "COLUMNS": "100"} | ENCODINGS[name]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="like\nwhy\n−1\n七\n".encode(), env=os.environ | environment, capture_output=True, timeout=300,
    )  # fmt: skip
    codes = json.loads((tmp_path / "codes").read_text())
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")[-3000:]
    assert len(codes) == len(calls)
    assert set(codes) <= {0, 2, 3}
    encoding = "latin-1" if name == "latin-1" else "ascii"
    text = done.stdout.replace("Amélie".encode(), b"").decode(encoding)  # CSV is UTF-8 wherever it goes
    for words in ("ok", "->", "trained on", "lambda", "Am\xe9lie" if encoding == "latin-1" else "Am\\u00e9lie"):
        assert words in text, words


@pytest.mark.parametrize(
    ("name", "encoding"), [*zip(ENCODINGS, ["ascii", "ascii", "latin-1"], strict=True), ("UTF-8", "utf-8")]
)
def test_json_is_the_same_document_in_every_encoding(name, encoding, demo):
    done = subprocess.run(
        [MLREC, "--data-dir", str(demo.root), "search", "amelie", "--json"],
        env=os.environ | ENCODINGS.get(name, {}), capture_output=True, check=True,
        timeout=120,
    )  # fmt: skip
    (movie,) = json.loads(done.stdout.decode(encoding))["items"]
    assert movie["title"] == "Amelie (Le Fabuleux destin d'Amélie Poulain)"
    assert (b"\\u00e9" in done.stdout) == (encoding == "ascii")


def test_columns_stay_in_line_where_a_character_becomes_two(run, demo):
    done = run("models", "list", data=demo.root, PYTHONIOENCODING="ascii")
    heading, rule, row, *_ = done.stdout.splitlines()
    assert row.startswith("->")
    assert len(heading) == len(rule) == len(row)
    assert [place for place, c in enumerate(heading) if c == "|"] == [place for place, c in enumerate(row) if c == "|"]


@pytest.mark.parametrize("name", ["ascii", "latin-1"])
def test_a_session_on_a_screen_that_lacks_the_arrows(name, demo_copy):
    session = Terminal(demo_copy.root, "swipe", "--user", str(NEW), environment=ENCODINGS[name])
    try:
        shown = session.until("The Shawshank Redemption (1994)").replace("\ufffd", " ")  # latin-1's own blank
        assert "->/l like <-/d dislike" in shown
        session.send(RIGHT)
        shown = session.until("liked The Shawshank")
        assert "1 ^" in shown or "new" in shown
        session.send("h")
        session.until("Press any key to go back.")
        session.send(" ")
        session.send("w")
        session.until("Press any key to go back.")
        session.send(" q")
        assert session.end() == 0
    finally:
        session.close()
    assert "Traceback" not in session.output


def test_bytes_that_are_no_text_are_no_answer(demo_copy):
    done = subprocess.run(
        [MLREC, "--data-dir", str(demo_copy.root), "swipe", "--user", "5"],
        input=b"like\n\xff\xfe\n", env=os.environ | {"PYTHONIOENCODING": "utf-8"}, capture_output=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Line 2: '\ufffd\ufffd' is not an answer. The swipes before it are stored." in done.stderr.decode()


def test_an_argument_that_is_no_text_is_shown_all_the_same(demo):
    words: list[str | bytes] = [MLREC, "--data-dir", str(demo.root), "similar", b"qqqq\xff"]
    done = subprocess.run(words, capture_output=True, timeout=120)
    assert done.returncode == 3
    assert r"No movie of the model matches 'qqqq\udcff'" in done.stderr.decode("ascii")


# -- the rule ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("→ ← ↑ ↓ ▲2 ▼1 ✓ ✗ · █░ … – − × ± λ", "ascii", "-> <- ^ v ^2 v1 ok x - #. ... - - x +/- lambda"),
        ("Amélie, Ame\u0301lie, Čapek, Ångström, ﬁ, ½, ²", "ascii", "Amelie, Amelie, Capek, Angstrom, fi, 1/2, 2"),
        ("Smørrebrød, Łódź, straße, Æon, Œuvre", "ascii", "Smorrebrod, Lodz, strasse, AEon, OEuvre"),
        ("‘a’ “b” «c»", "ascii", '\'a\' "b" "c"'),
        ("七人の侍, Αθήνα, \ufffd", "ascii", "????, ?????, ?"),
        ("Amélie · 50 % × ½ ± → “”", "latin-1", 'Amélie · 50 % × ½ ± -> ""'),
        ("€ →", "cp1252", "€ ->"),
        ("\udcff→", "utf-8", "?→"),
    ],
)
def test_what_stands_for_a_character(text, encoding, shown):
    assert text.encode(encoding, READABLE).decode(encoding) == shown


@given(
    text=st.text(st.characters()), encoding=st.sampled_from(["ascii", "latin-1", "cp1252", "koi8-r", "utf-8", "utf-16"])
)
def test_every_text_can_be_encoded_and_what_fits_is_left_alone(text, encoding):
    shown = text.encode(encoding, READABLE).decode(encoding)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        shown.encode(encoding)
    else:
        assert shown == text
