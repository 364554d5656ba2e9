-- Every input row that could not be used. Lines of the swipe log are told apart by their text: each user counts from 1.
-- In: table rejects; parameter path.  Out: a CSV file with header, also when there are none.
COPY (SELECT file, line, text, reason FROM rejects ORDER BY file, line, text) TO $path (FORMAT csv, HEADER true);
