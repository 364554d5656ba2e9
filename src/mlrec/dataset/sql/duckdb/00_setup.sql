-- Macros and empty tables that the later steps share.
-- In: nothing.  Out: macros; tables rejects, movies.

-- The fields of one CSV line, quotes and all: a quoted field may hold commas and doubled quotes.
-- Every field is matched with the comma before it, so that an empty one is a match of its own.
CREATE MACRO csv_fields(line) AS regexp_extract_all(',' || line, ',("(?:[^"]|"")*"[^,]*|[^,]*)', 1);

-- A field as a reader sees it: outer blanks and outer quotes gone, doubled quotes single.
CREATE MACRO plain(field) AS
    CASE WHEN trim(field) LIKE '"%"' AND length(trim(field)) >= 2
         THEN replace(substr(trim(field), 2, length(trim(field)) - 2), '""', '"')
         ELSE trim(field) END;

-- Only CSV knows quotes; in the other editions' files a quote is a character of the title. Lines without one are cut the
-- cheap way, and so are the blanks of those that have none: trim knows blanks beyond ASCII, too.
CREATE MACRO fields_of(line, delimiter) AS
    CASE WHEN delimiter = ',' AND contains(line, '"') THEN list_transform(csv_fields(line), lambda field: plain(field))
         WHEN contains(line, ' ') OR strlen(line) <> length(line)
             THEN list_transform(string_split(line, delimiter), lambda field: trim(field))
         ELSE string_split(line, delimiter) END;

-- How many fields a line has; an empty one after the last that is expected does not count, as DuckDB's reader has it.
CREATE MACRO width_of(fields, expected) AS
    CASE WHEN len(fields) = expected + 1 AND fields[-1] = '' THEN expected ELSE len(fields) END;

-- A text file, described by the variable of that name, line by line with its fields; the header and blank lines are left
-- out. read_csv only cuts the lines here: a delimiter that no line holds makes each of them one field. This new_line without
-- strict_mode takes every mixture of line ends.
CREATE MACRO rows_of(file) AS TABLE
    SELECT line, text, fields, width_of(fields, getvariable(file).width) AS width
    FROM (
        SELECT line, text, fields_of(text, getvariable(file).delimiter) AS fields
        FROM (
            SELECT row_number() OVER () AS line, text
            FROM read_csv(getvariable(file).path, columns = {'text': 'VARCHAR'}, delim = chr(1) || chr(2), quote = '',
                          escape = '', new_line = '\r\n', strict_mode = false, header = false, auto_detect = false,
                          hive_partitioning = false, parallel = false, encoding = getvariable(file).encoding)
        )
        WHERE line > getvariable(file).header_lines AND trim(text) <> ''
    );

-- A whole number that DOUBLE holds exactly, and no other number rounds to. 21_ratings_typed.sql reads ids as DOUBLE and uses
-- this to tell 3 from 3.7.
CREATE MACRO is_exact(number) AS number = trunc(number) AND abs(number) < 9007199254740992;

-- Text to int64: digits at full precision, also with ".0" behind, and what DOUBLE reads as a whole number ("1e3"). Text that a
-- number is written as is taken without a look at its form, which most is.
CREATE MACRO whole_number(field) AS
    CASE WHEN field = CAST(TRY_CAST(field AS BIGINT) AS VARCHAR) THEN TRY_CAST(field AS BIGINT)
         WHEN regexp_full_match(field, '[+-]?\d+(\.0*)?') THEN TRY_CAST(regexp_replace(field, '\.0*$', '') AS BIGINT)
         WHEN is_exact(TRY_CAST(field AS DOUBLE)) THEN CAST(TRY_CAST(field AS DOUBLE) AS BIGINT) END;

-- Why an id cannot be used, or NULL.
CREATE MACRO id_fault(field, name) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty ' || name
         WHEN whole_number(field) IS NOT NULL THEN NULL
         WHEN regexp_full_match(field, '[+-]?\d+(\.0*)?')
              OR isfinite(TRY_CAST(field AS DOUBLE)) AND abs(TRY_CAST(field AS DOUBLE)) >= 9007199254740992
             THEN name || ' beyond int64'
         ELSE 'unparsable ' || name END;

-- The whole part of n that falls to the first, second or third number of the split ratio.
CREATE MACRO share_of(n, part) AS
    CAST(n AS BIGINT) * CAST(getvariable('split_ratio')[part] AS BIGINT)
    // CAST(list_sum(getvariable('split_ratio')) AS BIGINT);

-- What the steps in shared/ call by these names.
CREATE MACRO decimal_number(field) AS TRY_CAST(field AS DOUBLE);
CREATE MACRO shifted(user_id) AS TRY_CAST(CAST(user_id AS HUGEINT) + getvariable('user_offset') AS BIGINT);
CREATE MACRO ratings_width() AS getvariable('ratings_file').width;
CREATE MACRO max_rating() AS getvariable('max_rating');
CREATE MACRO min_user_ratings() AS getvariable('min_user_ratings');
CREATE MACRO min_movie_ratings() AS getvariable('min_movie_ratings');
CREATE MACRO cut_point(i) AS getvariable('cut_points')[i];
CREATE MACRO preference_of_bucket(i) AS getvariable('preferences')[i];

CREATE MACRO rating_in_range(rating, max_rating) AS rating > 0 AND rating <= max_rating;

-- 1970 to the end of year 9999: milliseconds instead of seconds fall outside.
CREATE MACRO timestamp_in_range(seconds) AS seconds BETWEEN 0 AND 253402300799;

CREATE TABLE rejects (file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR);
CREATE TABLE movies (movie_id BIGINT, title VARCHAR, year SMALLINT, genres VARCHAR[], imdb_id VARCHAR, tmdb_id BIGINT);
