-- Every input row that could not be used. Lines of the swipe log are distinguished by their text, because line numbers start at 1
-- for each user. An apostrophe goes before text that a spreadsheet would run as a formula.
-- In: table rejects; parameter path.  Out: a CSV file with header, also when there are none.
COPY (
    SELECT file, line,
           CASE WHEN regexp_matches(text, '^(\s*[=+@＝＋－＠-]|[\t\r])') THEN '''' || text ELSE text END AS text, reason
    FROM rejects ORDER BY file, line, rejects.text
) TO $path (FORMAT csv, HEADER true);
