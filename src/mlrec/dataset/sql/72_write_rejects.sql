-- Every input row that could not be used.
-- In: table rejects; parameter path.  Out: a CSV file with header, also when there are none.
COPY (SELECT file, line, text, reason FROM rejects ORDER BY file, line) TO $path (FORMAT csv, HEADER true);
