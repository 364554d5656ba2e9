"""Records a swipe session on a real terminal as an animated picture, docs/pictures/swipe.svg: make pictures.

`mlrec swipe` runs on a pseudo-terminal, a terminal emulator (pyte) follows what it shows, and rich draws each screen.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

TARGET = Path(__file__).parent / "pictures" / "swipe.svg"
MLREC = Path(sys.executable).with_name("mlrec")
COLUMNS, ROWS = 100, 24
USER = "42"
KEYS = ("l", "s", "d", "l", "w")
SECONDS_PER_SCREEN = 2.5
_LONGEST_WAIT = 30.0
_QUIET = 0.4  # seconds without output after which a screen is complete

THEME = TerminalTheme(
    (22, 27, 34),
    (220, 224, 230),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207),
     (177, 186, 196)],
    [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255),
     (86, 212, 221), (240, 246, 252)],
)  # fmt: skip
# rich's own template fetches a font from the network.
FRAME = """<g class="screen" style="animation-delay:{{delay}}s">
<style>{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>
<g transform="translate({terminal_x},{terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</g>"""
PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
<title>{label}</title>
<style>
text {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 20px;
  white-space: pre; }}
.screen {{ opacity: 0; animation: show {total}s steps(1) infinite; }}
@keyframes show {{ 0% {{ opacity: 1; }} {share}% {{ opacity: 0; }} }}
@media (prefers-reduced-motion: reduce) {{ .screen {{ animation: none; }} .screen:last-of-type {{ opacity: 1; }} }}
</style>
{frames}
</svg>
"""


class Recorder:
    """A command on a pseudo-terminal, and what its screen shows."""

    def __init__(self, *command: str) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self._process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment | {"TERM": "xterm-256color"},
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def press(self, key: str) -> None:
        """Send one key."""
        os.write(self._master, key.encode())

    def settled(self) -> list[Text]:
        """Wait until the screen does not change any more, and return its lines."""
        deadline, seen = time.monotonic() + _LONGEST_WAIT, False
        while time.monotonic() < deadline:
            if self._read():
                seen = True
            elif seen:
                return [self._line(number) for number in range(ROWS)]
        raise SystemExit(f"mlrec swipe did not show anything for {_LONGEST_WAIT:g} seconds.")

    def close(self) -> None:
        """End the session, and read what it says last: a program cannot leave a terminal that nobody reads."""
        self.press("q")
        deadline = time.monotonic() + _LONGEST_WAIT
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read()
        self._process.kill()
        os.close(self._master)

    def _read(self) -> bool:
        """Take what has been written within a moment, if anything."""
        if not select.select([self._master], [], [], _QUIET)[0]:
            return False
        try:
            self._stream.feed(os.read(self._master, 65_536))
        except OSError:  # the command has ended
            return False
        return True

    def _line(self, number: int) -> Text:
        cells = self._screen.buffer[number]
        line = Text()
        for (fg, bg, bold, reverse), run in groupby(
            (cells[column] for column in range(COLUMNS)), lambda cell: (cell.fg, cell.bg, cell.bold, cell.reverse)
        ):
            style = Style(color=_color(fg), bgcolor=_color(bg), bold=bold, reverse=reverse)
            line.append("".join(cell.data for cell in run), style)
        line.rstrip()
        return line


def _color(name: str) -> str | None:
    """A color of the emulator as rich names it."""
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return f"#{name}"
    plain = name.removeprefix("bright").replace("brown", "yellow")
    return f"bright_{plain}" if name.startswith("bright") else plain


def _frame(lines: list[Text], number: int) -> str:
    console = Console(
        record=True, width=COLUMNS, height=ROWS, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in lines:
        console.print(line, no_wrap=True, crop=True)
    return console.export_svg(theme=THEME, code_format=FRAME, unique_id=f"s{number}")


def record(data_dir: Path) -> str:
    """Swipe through a few cards and return the picture; the data directory is copied, not changed."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "data"
        shutil.copytree(data_dir, copy, ignore=shutil.ignore_patterns("users.db*", "raw"))
        session = Recorder(str(MLREC), "--data-dir", str(copy), "swipe", "--user", USER)
        screens = [session.settled()]
        for key in KEYS:
            session.press(key)
            screens.append(session.settled())
        session.close()
    frames = [_frame(lines, number) for number, lines in enumerate(screens)]
    size = re.search(r'<rect width="([\d.]+)" height="([\d.]+)" rx', frames[0])
    assert size is not None
    return PICTURE.format(
        width=size[1],
        height=size[2],
        label=f"A session of mlrec swipe --user {USER}: each answer changes the next card and the list",
        total=SECONDS_PER_SCREEN * len(frames),
        share=f"{100 / len(frames):.4f}",
        frames="\n".join(frame.replace("{delay}", f"{SECONDS_PER_SCREEN * i:g}") for i, frame in enumerate(frames)),
    )


def main() -> None:
    """Record a session on a data directory with a published model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(record(arguments.data_dir), encoding="utf-8")
    print(f"Wrote {TARGET}")


if __name__ == "__main__":
    main()
