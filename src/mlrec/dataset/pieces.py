"""Naming the part files in the rejects of a file that was joined from several."""

from __future__ import annotations

from bisect import bisect

from mlrec.dataset.sources import RawFile
from mlrec.dataset.sql_steps import SqlSteps


def name_pieces(sql: SqlSteps, file: RawFile) -> None:
    """Give each reject of a joined file the name of its part, and the number of its line in the part.

    Call it once, after the rejects of the file have been counted under its own name.
    """
    if not file.pieces:
        return
    first_lines, labels, first_lines_in_piece = zip(*file.pieces, strict=True)
    sql.connection.execute(
        "UPDATE rejects SET file = piece.label, line = piece.line FROM ("
        "SELECT rejects.rowid AS row, pieces.label, rejects.line - first_line + first_line_in_piece AS line"
        " FROM rejects ASOF JOIN (SELECT unnest($first_lines) AS first_line, unnest($labels) AS label,"
        " unnest($first_lines_in_piece) AS first_line_in_piece) AS pieces ON rejects.line >= pieces.first_line"
        " WHERE rejects.file = $file) AS piece WHERE rejects.rowid = piece.row",
        {
            "first_lines": list(first_lines),
            "labels": list(labels),
            "first_lines_in_piece": list(first_lines_in_piece),
            "file": file.label,
        },
    )


def piece_of(file: RawFile, line: int) -> tuple[str, int]:
    """The name of the part that has a line of a file, and the number of the line in the part."""
    if not file.pieces:
        return file.label, line
    piece = file.pieces[bisect(file.pieces, line, key=lambda one: one.first_line) - 1]
    return piece.label, line - piece.first_line + piece.first_line_in_piece
