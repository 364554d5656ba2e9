"""mlrec swipe as people and scripts use it: in a real pseudo-terminal, in a pipe, and as a single call."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlrec.serving.stores import open_store
from mlrec.workspace import Workspace
from tests.command_line import MLREC
from tests.waiting import is_readable

NEW = 9_000_001


@pytest.fixture
def data(demo_copy) -> Path:
    return demo_copy.root


@pytest.fixture(autouse=True)
def _demo_model(data, monkeypatch):
    monkeypatch.setenv("MLREC_DATA_DIR", str(data))


def log(data, user_id=NEW):
    store = open_store(None, Workspace(data))
    events = store.events(user_id)
    store.close()
    return [(event.movie_id, event.preference, event.undoes) for event in events]


# -- a single swipe ----------------------------------------------------------------------------------------------------


def test_a_swipe_in_json(run, data):
    document = json.loads(run("swipe", "--user", 42, "--movie", 318, "--preference", "+2", "--json").stdout)
    assert (document["user_id"], document["event_id"], document["movie_id"], document["preference"]) == (42, 1, 318, 2)
    assert document["model_id"]
    assert [item["rank"] for item in document["items"]] == [1, 2, 3, 4, 5]
    undone = json.loads(run("swipe", "--user", 42, "--undo", "--json").stdout)
    assert (undone["event_id"], undone["movie_id"], undone["undone"]) == (2, 318, True)
    assert log(data, 42) == [(318, 2, 0), (318, 0, 1)]


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        (["--preference", "-2"], -2),
        (["--preference", "0"], 0),
        (["--preference", "SuperLike"], 2),
        (["--bucket", "2"], -1),
        (["--bucket", "4"], 2),
    ],
)
def test_preferences_names_and_buckets(run, data, options, stored):
    done = run("swipe", "--user", NEW, "--movie", "toy story", *options)
    assert "Toy Story (1995)" in done.stdout
    assert log(data) == [(1, stored, 0)]


def test_a_retried_swipe_is_told_so(run, data):
    arguments = ("swipe", "--user", NEW, "--movie", 318, "--preference", "like", "--idempotency-key", "x", "--at", 1000)
    run(*arguments)
    assert "already stored" in run(*arguments).stdout
    assert len(log(data)) == 1
    other = ("swipe", "--user", NEW, "--movie", 318, "--preference", -1, "--idempotency-key", "x")
    assert "used for another swipe" in run(*other, expect=3).stderr


def test_the_old_name_of_the_idempotency_key_is_hidden_and_taken_with_a_warning(run):
    arguments = ("swipe", "--user", NEW, "--movie", 318, "--preference", "like")
    old = run(*arguments, "--event-id", "x", "--json")
    assert json.loads(old.stdout)["is_new"] is True
    assert "--event-id is now called --idempotency-key" in old.stderr
    again = run(*arguments, "--idempotency-key", "x", "--json")
    assert json.loads(again.stdout)["is_new"] is False
    assert again.stderr == ""
    assert "old name" in run(*arguments, "--event-id", "x", "--idempotency-key", "x", expect=2).stderr
    assert "event-id" not in run("swipe", "--help").stdout


def test_a_swipe_without_effect_is_told_so(run):
    arguments = ("swipe", "--user", NEW, "--movie", 318, "--preference", "like")
    assert "not in effect" not in run(*arguments, "--idempotency-key", "x").stdout
    older = run(*arguments, "--at", 1000)
    assert "The swipe is stored, but not in effect: a later opinion on this movie counts." in older.stdout
    assert json.loads(run(*arguments, "--at", 1000, "--json").stdout)["in_effect"] is False
    for _ in range(3):
        assert "not in effect" not in run("swipe", "--user", NEW, "--undo").stdout
    assert "not in effect: it was undone." in run(*arguments, "--idempotency-key", "x").stdout
    assert json.loads(run(*arguments, "--json").stdout)["in_effect"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--movie", "318"], 2, "--preference"),
        (["--preference", "like"], 2, "--movie"),
        (["--movie", "318", "--preference", "lik"], 2, "superlike"),
        (["--movie", "318", "--bucket", "5"], 2, "bucket"),
        (["--movie", "318", "--bucket", "4", "--preference", "1"], 2, "not both"),
        (["--undo", "--movie", "318", "--preference", "1"], 2, "undo"),
        (["--at", "5"], 2, "--movie"),
        (["--movie", "star wars", "--preference", "1"], 3, "260 Star Wars: Episode IV"),
        (["--movie", "nosuchmovie zz", "--preference", "1"], 3, "No movie of the model matches"),
        (["--movie", "318", "--preference", "1", "--at", "99999999999999"], 2, "epoch seconds"),
        (["--undo"], 3, "no swipe to undo"),
        (["--store", "nosuch://x"], 2, "not a valid store"),
        (["--store", "redis://127.0.0.1:1/0"], 4, "Check that the server runs"),
        (["--genre", "Scifi"], 2, "Sci-Fi"),
    ],
)
def test_mistakes_are_told_and_change_nothing(run, data, arguments, code, words):
    done = run("swipe", "--user", NEW, *arguments, expect=code)
    assert words in done.stderr
    assert not (data / "users.db").exists()


def test_without_a_model_what_to_do_is_told(run, tmp_path):
    done = run("swipe", "--user", 1, expect=4, MLREC_DATA_DIR=str(tmp_path / "nothing"))
    assert "mlrec run demo" in done.stderr


def test_a_damaged_store_is_told_and_left_as_it_is(run, data):
    (data / "users.db").write_text("not a database")
    for arguments in (["swipe", "--user", 42, "--movie", 318, "--preference", 1], ["recommend", "--user", 42]):
        assert "left as it is" in run(*arguments, expect=4).stderr
    assert (data / "users.db").read_text() == "not a database"


def test_a_store_that_may_not_be_written_is_told(data, tmp_path):
    """As another user, for root may write anywhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    place = tmp_path / "store"
    place.mkdir(mode=0o755)
    store = open_store(str(place / "users.db"), None)
    from mlrec.serving.stores.interface import Draft

    store.append(42, Draft(318, 1, 100))
    store.close()
    (place / "users.db").chmod(0o644)  # as an earlier version made it
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    program = (
        "import os, sys\n"
        "from pathlib import Path\nfrom mlrec.serving.stores.sqlite import SqliteStore\n"
        "from mlrec.serving.stores.interface import Draft\nfrom mlrec.errors import StoreUnavailableError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: SqliteStore(Path(sys.argv[1])).append(42, Draft(1, 1, 100))\n"
        "except StoreUnavailableError as error: print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(place / "users.db")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "cannot be read or written: read-only" in done.stdout, done.stderr


# -- in a pipe ---------------------------------------------------------------------------------------------------------


def test_words_in_a_pipe(run, data):
    done = run("swipe", "--user", NEW, text="like\n\nDislike\n+2\nskip\nsuperdislike\nundo\nwhy\nhelp\nquit\nlike\n")
    assert [preference for _, preference, _ in log(data)] == [1, -1, 2, 0, -2, 0]
    assert log(data)[-1][2] == 5
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("1. The Shawshank Redemption (1994)")
    assert any("undone: superdisliked" in line for line in lines)
    assert any("you liked The Shawshank Redemption" in line for line in lines)
    assert "1 superliked, 1 liked, 1 skipped, 1 disliked, 1 undone" in lines[-1]


def test_a_session_in_json(run):
    document = json.loads(run("swipe", "--user", NEW, "--json", text="like\nundo\ndislike\n").stdout)
    assert [swipe["preference"] for swipe in document["swipes"]] == [1, 1, -1]
    assert [swipe["undone"] for swipe in document["swipes"]] == [False, True, False]
    assert len(document["items"]) == 5


def test_an_empty_pipe_is_no_error(run, data):
    assert "No swipes." in run("swipe", "--user", NEW).stdout
    assert not (data / "users.db").exists()


def cards_of(text: str) -> list[str]:
    return [line.split(" · ")[0].split(". ", 1)[1] for line in text.splitlines() if re.match(r"\d+\. ", line)]


@pytest.mark.parametrize("word", ["n", "not seen", "unseen", "not-seen"])
def test_not_seen_hides_the_card_and_stores_nothing(run, data, word):
    plain_cards = cards_of(run("swipe", "--user", NEW, text="").stdout)
    done = run("swipe", "--user", NEW, text=f"{word}\n{word}\nquit\n")
    shown = cards_of(done.stdout)
    assert shown[0] == plain_cards[0]
    assert len(set(shown)) == 3
    assert f"not seen: {shown[0]} (put aside; nothing is stored)" in done.stdout
    assert done.stdout.splitlines()[-1] == "No swipes. 2 not seen, of which nothing is stored."
    assert not (data / "users.db").exists()
    # It is for this session only.
    assert cards_of(run("swipe", "--user", NEW).stdout) == plain_cards


def test_not_seen_says_nothing_about_taste_and_a_skip_is_stored(run, data):
    listed = [item["movie_id"] for item in json.loads(run("recommend", "--user", NEW, "--json").stdout)["items"]]
    document = json.loads(run("swipe", "--user", NEW, "--json", text="n\nskip\nn\n").stdout)
    assert document["not_seen"] == [listed[0], listed[2]]
    assert log(data) == [(listed[1], 0, 0)]
    # The movies stay in the user's list: they are still worth watching.
    assert [item["movie_id"] for item in document["items"]][:2] == [listed[0], listed[2]]
    after = [item["movie_id"] for item in json.loads(run("recommend", "--user", NEW, "--json").stdout)["items"]]
    assert after[:9] == [listed[0], *listed[2:]]


def test_undo_brings_back_what_was_put_aside_in_the_order_of_answers(run, data):
    done = run("swipe", "--user", NEW, text="n\nlike\nn\nundo\nundo\nundo\nundo\n")
    first, second, third, *again = cards_of(done.stdout)
    assert f"back: {third}" in done.stdout
    assert f"undone: liked {second}" in done.stdout
    assert f"back: {first}" in done.stdout
    assert again[-3:] == [third, second, first]
    assert "no swipe to undo" in done.stderr
    assert [preference for _, preference, _ in log(data)] == [1, 0]


def test_when_every_movie_is_put_aside_there_is_no_card(run, data):
    options = ("--genre", "Film-Noir", "--years", "1980-1999")
    n = len(json.loads(run("recommend", "--user", NEW, *options, "-n", 500, "--json").stdout)["items"])
    done = run("swipe", "--user", NEW, *options, text="n\n" * (n + 5))
    assert len(set(cards_of(done.stdout))) == n > 6
    assert "No more movies match." in done.stdout
    assert f"{n} not seen" in done.stdout
    assert log(data) == []


def test_swiping_through_a_list_of_ones_own(run, tmp_path):
    shelf = tmp_path / "shelf.txt"
    shelf.write_text("260\n1\n318\n")
    done = run("swipe", "--user", NEW, "--only", shelf, text="n\nn\nn\n")
    assert len(cards_of(done.stdout)) == 3
    assert "stdin" in run("swipe", "--user", NEW, "--only", "-", expect=2).stderr


def test_a_wrong_word_stops_and_what_was_before_is_stored(run, data):
    done = run("swipe", "--user", NEW, text="like\nlke\nlike\n", expect=2)
    assert "Line 2: 'lke'" in done.stderr
    assert len(log(data)) == 1


def test_nothing_to_undo_is_a_warning_in_a_session(run, data):
    done = run("swipe", "--user", NEW, text="undo\nlike\n")
    assert "no swipe to undo" in done.stderr
    assert len(log(data)) == 1


def test_cards_come_from_the_genres_asked_for(run, data):
    done = run("swipe", "--user", NEW, "--genre", "Western", "--years", "1960-1999", text="like\nlike\n")
    assert all("Western" in line for line in done.stdout.splitlines() if re.match(r"\d\. ", line))
    assert "popular in the genres you asked for" in done.stdout


def test_a_reader_that_goes_away_is_no_error(data):
    done = subprocess.run(
        f"set -o pipefail; yes like | {MLREC} --data-dir {data} swipe --user {NEW} | head -n 3",
        shell=True, capture_output=True, text=True, executable="/bin/bash", timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert len(log(data)) >= 1


def test_when_every_movie_is_seen_it_ends(run, data):
    text = "skip\n" * 50
    done = run("swipe", "--user", NEW, "--genre", "Film-Noir", "--years", "1980-1999", text=text)
    assert "No more movies match." in done.stdout


def test_where_no_movie_fits_there_is_no_card(run, data):
    done = run("swipe", "--user", NEW, "--years", "1800-1801", text="like\nlike\n")
    assert done.stdout == "No movie is left: --years 1800-1801 leaves none of 9,066 movies.\n"
    assert not (data / "users.db").exists()


def test_a_forgotten_user_gets_no_card(run):
    run("users", "forget", 42, "--yes")
    done = run("swipe", "--user", 42, expect=4)
    assert "forgotten" in done.stderr
    assert done.stdout == ""
    assert "User 42 is forgotten" in run("recommend", "--user", 42).stderr


def test_filters_hold_for_the_list_after_a_single_swipe(run):
    arguments = ("swipe", "--user", 42, "--movie", 318, "--preference", 1, "--genre", "Western", "--json")
    document = json.loads(run(*arguments).stdout)
    assert all("Western" in item["genres"] for item in document["items"])


# -- on a terminal -----------------------------------------------------------------------------------------------------

RIGHT, LEFT, UP, DOWN = "\x1b[C", "\x1b[D", "\x1b[A", "\x1b[B"


class Terminal:
    """mlrec in a pseudo-terminal of its own."""

    def __init__(
        self, data: Path, *arguments: str, columns: int = 80, rows: int = 30, environment: Mapping[str, str] = {}
    ) -> None:
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        names = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI"}
        self.process = subprocess.Popen(
            [MLREC, "--data-dir", str(data), *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={k: v for k, v in os.environ.items() if k not in names} | {"TERM": "xterm-256color", **environment},
        )  # fmt: skip
        self.settings = termios.tcgetattr(slave)
        self.slave = slave
        self.output = self.drawn = ""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, words: str, seconds: float = 120) -> str:
        """Read until these words come; returns what came since the last call."""
        came, end = "", time.monotonic() + seconds
        while words not in plain(came):
            assert time.monotonic() < end, f"no {words!r} in {plain(came)!r}"
            if is_readable(self.master, 0.1):
                try:
                    came += os.read(self.master, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        while is_readable(self.master, 0.1):  # the rest of what is being drawn
            try:
                came += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                break
        self.output, self.drawn = self.output + came, came
        assert words in plain(came), plain(came)
        return plain(came)

    def send(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Wait for the end, reading what comes, and return the exit code."""
        end = time.monotonic() + 120
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it goes on: {plain(self.output)!r}"
            if is_readable(self.master, 0.05):
                self.output += os.read(self.master, 65536).decode(errors="replace")
        while is_readable(self.master, 0.05):
            try:
                self.output += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                break
        return self.process.wait(120)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(120)
        for handle in (self.master, self.slave):
            os.close(handle)


def plain(text: str) -> str:
    """Without escape sequences and line ends."""
    return re.sub(r"\s+", " ", re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\(B|[=>])", "", text))


@pytest.fixture
def terminal(data):
    opened = []

    def open_terminal(*arguments: str, **options):
        opened.append(Terminal(data, *arguments, **options))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_all_keys_on_a_terminal(terminal, data):
    session = terminal("swipe", "--user", str(NEW))
    assert "top 1% of 9,066 movies" in session.until("The Shawshank Redemption (1994)")
    for keys, words in [
        (RIGHT, "liked The Shawshank"), (LEFT, "disliked "), (UP, "superliked "), (DOWN, "superdisliked "),
        (" ", "skipped "), ("l", "liked "), ("d", "disliked "), ("s", "superliked "), ("x", "superdisliked "),
        ("o", "skipped "), ("L", "liked "), ("\x1bOC", "liked "),
    ]:  # fmt: skip
        session.send(keys)
        assert "stored and learned in" in session.until(words)
    session.send("u")
    session.until("undone: liked")
    session.send("w")
    session.until("Press any key to go back.")
    session.send(" ")
    session.until("swipes in this session")
    session.send("h")
    assert "superdislike" in session.until("Press any key to go back.")
    session.send("q")  # goes back only
    session.until("in this session")
    session.send("é")
    session.until("Unknown key")
    session.send("q")
    assert session.end() == 0
    assert "1 undone" in plain(session.output)
    assert [p for _, p, _ in log(data)] == [1, -1, 2, -2, 0, 1, -1, 2, -2, 0, 1, 1, 0]
    # The terminal is as it was.
    assert termios.tcgetattr(session.slave) == session.settings
    assert session.output.count("\x1b[?1049h") == session.output.count("\x1b[?1049l") == 1
    assert session.output.count("\x1b[?25l") == session.output.count("\x1b[?25h") == 1


def test_the_key_for_not_seen(terminal, data):
    session = terminal("swipe", "--user", str(NEW))
    assert "n not seen" in session.until("quit")
    session.send("n")
    session.until("not seen: The Shawshank Redemption (1994) (put aside; nothing is stored)")
    session.send(RIGHT)
    session.until("stored and learned in")
    session.send("n")
    session.until("not seen: ")
    session.send("u")
    session.until("back: ")
    session.send("h")
    session.until("put the movie aside for this session")
    session.send(" q")
    assert session.end() == 0
    assert "1 liked; stored and learned in" in plain(session.output)
    assert "1 not seen, of which nothing is stored." in plain(session.output)
    assert [(movie != 318, preference) for movie, preference, _ in log(data)] == [(True, 1)]


def test_keys_typed_ahead_are_all_taken(terminal, data):
    session = terminal("swipe", "--user", str(NEW))
    session.until("Shawshank")
    session.send(RIGHT + LEFT + "s q")
    assert session.end() == 0
    assert [p for _, p, _ in log(data)] == [1, -1, 2, 0]


def test_ctrl_c_loses_nothing(terminal, data):
    session = terminal("swipe", "--user", str(NEW))
    session.until("Shawshank")
    session.send(RIGHT)
    session.until("liked The Shawshank")
    session.send("\x03")
    assert session.end() == 130
    assert "Traceback" not in session.output
    assert "1 liked" in plain(session.output)
    assert termios.tcgetattr(session.slave) == session.settings
    assert len(log(data)) == 1


def test_a_killed_terminal_loses_nothing(terminal, data):
    session = terminal("swipe", "--user", str(NEW))
    session.until("Shawshank")
    session.send(RIGHT)
    session.until("liked The Shawshank")
    session.process.send_signal(signal.SIGHUP)
    session.end()
    assert len(log(data)) == 1
    later = terminal("swipe", "--user", str(NEW))
    later.until("top ")
    later.send(RIGHT)
    later.until("stored and learned in")
    assert len({movie_id for movie_id, *_ in log(data)}) == 2


def test_resizing_and_narrow_windows(terminal):
    session = terminal("swipe", "--user", str(NEW), columns=100, rows=30)
    session.until("q quit")
    session.resize(34, 24)
    session.until("User 9000001")
    session.send(RIGHT)
    session.until("Your list now")
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", session.drawn).splitlines()
    assert 20 <= len(lines) <= 24
    assert max(map(len, lines)) <= 34
    session.send("q")
    assert session.end() == 0


def test_without_colour(terminal):
    session = terminal("swipe", "--user", str(NEW), environment={"NO_COLOR": "1"})
    session.until("Shawshank")
    session.send(RIGHT)
    session.until("Your list now")
    session.send("q")
    session.end()
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", session.output)


def test_a_dumb_terminal_gets_lines(terminal, data):
    session = terminal("swipe", "--user", str(NEW), environment={"TERM": "dumb"})
    session.until("1. The Shawshank")
    session.send("like\n")
    session.until("2. ")
    session.send("quit\n")
    assert session.end() == 0
    assert "\x1b" not in session.output
    assert len(log(data)) == 1


def test_a_list_in_the_narrow_terminal_keeps_title_and_score(terminal):
    session = terminal("recommend", "--user", "42", "--explain", columns=60)
    session.until("because you liked")
    assert session.end() == 0


def test_a_typo_on_a_dumb_terminal_is_asked_again(terminal, data):
    session = terminal("swipe", "--user", str(NEW), environment={"TERM": "dumb"})
    session.until("1. The Shawshank")
    assert "Type one answer per line: like, dislike" in plain(session.output)
    session.send("lke\n")
    session.until("'lke' is not an answer")
    session.send("like\nquit\n")
    assert session.end() == 0
    assert len(log(data)) == 1


@pytest.mark.parametrize(("columns", "rows"), [(40, 15), (100, 12)])
def test_a_low_window_keeps_what_was_done_and_the_keys(terminal, columns, rows):
    session = terminal("swipe", "--user", str(NEW), columns=columns, rows=rows)
    session.until("q quit")
    session.send(RIGHT)
    shown = session.until("liked The Shawshank")
    assert "q quit" in shown.replace("\u00a0", " ")
    session.send("é")
    session.until("Unknown key")
    session.send("w")
    session.until("Press any key to go back.")


def test_a_session_that_was_stopped_goes_on(terminal, data):
    """Ctrl-Z and fg: the shell gives the terminal back line by line, and the session takes it again."""
    session = terminal("swipe", "--user", str(NEW))
    session.until("Shawshank")
    session.process.send_signal(signal.SIGSTOP)
    termios.tcsetattr(session.slave, termios.TCSADRAIN, session.settings)
    session.process.send_signal(signal.SIGCONT)
    session.until("Shawshank")  # drawn again
    session.send(RIGHT)
    session.until("liked The Shawshank")
    session.send("q")
    assert session.end() == 0
    assert len(log(data)) == 1
    assert termios.tcgetattr(session.slave) == session.settings
