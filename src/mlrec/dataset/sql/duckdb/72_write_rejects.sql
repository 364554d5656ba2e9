-- Every input row that could not be used. Lines of the swipe log are told apart by their text: each user counts from 1.
-- A spreadsheet takes text that begins so for a formula, and would run it: an apostrophe goes before.
-- In: table rejects; parameter path.  Out: a CSV file with header, also when there are none.
COPY (
    SELECT file, line,
           CASE WHEN regexp_matches(text, '^(\s*[=+@＝＋－＠-]|[\t\r])') THEN '''' || text ELSE text END AS text, reason
    FROM rejects ORDER BY file, line, rejects.text
) TO $path (FORMAT csv, HEADER true);
