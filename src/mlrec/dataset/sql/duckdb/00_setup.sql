-- Macros and empty tables for the later steps.
-- In: nothing.  Out: macros; tables rejects, movies, raw_lines.

-- The fields of a line, without surrounding blanks; trim also removes non-ASCII blanks. If a line has quoting, the reader has
-- already split it. Other lines are split here, in the cheaper way if they have no blanks.
CREATE MACRO fields_of(text, quoted, delimiter) AS
    CASE WHEN quoted IS NOT NULL THEN list_transform(quoted, lambda field: trim(field))
         WHEN contains(text, ' ') OR strlen(text) <> length(text)
             THEN list_transform(string_split(text, delimiter), lambda field: trim(field))
         ELSE string_split(text, delimiter) END;

-- The number of fields in a line. One empty field after the last expected one does not count. A line that cannot be split,
-- because a quote is not closed, has -1.
CREATE MACRO width_of(fields, expected) AS
    CASE WHEN len(fields) = 0 THEN -1 WHEN len(fields) = expected + 1 AND fields[-1] = '' THEN expected ELSE len(fields) END;

-- Records of the text file being read, or of a block of it: the number of the first line, the text, and the fields if the
-- record has quotes. A record may span several lines.
CREATE TABLE raw_lines (line BIGINT, text VARCHAR, quoted VARCHAR[]);

-- The lines, with their fields, of the text file that the variable of the given name describes. Blank lines are left out.
CREATE MACRO rows_of(file) AS TABLE
    SELECT line, text, fields, width_of(fields, getvariable(file).width) AS width
    FROM (
        SELECT line, text, fields_of(text, quoted, getvariable(file).delimiter) AS fields
        FROM raw_lines WHERE trim(text) <> ''
    );

-- Text to int64, if it has the form of a whole number: digits without a leading zero, with an optional minus in front and an
-- optional ".0" at the end, as pandas writes ids. Other forms that a parser might accept ("1_23", "1e3", "007", "+5") are
-- rejected: two ids that differ in a character must not become one. Most text equals the number's usual form, and is accepted
-- without checking its form.
CREATE MACRO whole_number(field) AS
    CASE WHEN field = CAST(TRY_CAST(field AS BIGINT) AS VARCHAR) THEN TRY_CAST(field AS BIGINT)
         WHEN regexp_full_match(field, '(0|-?[1-9]\d*)\.0')
             THEN TRY_CAST(left(field, CAST(length(field) AS BIGINT) - 2) AS BIGINT) END;

-- Text to DOUBLE. DuckDB alone would ignore underscores.
CREATE MACRO decimal_number(field) AS CASE WHEN NOT contains(field, '_') THEN TRY_CAST(field AS DOUBLE) END;

-- A value of a Parquet file as text, so that the rules can check it. A float that represents a whole number exactly becomes
-- that number. A larger float becomes text that is not a whole number, because neighbouring numbers may have been rounded to it.
CREATE MACRO field_text(field) AS
    CASE WHEN typeof(field) IN ('DOUBLE', 'FLOAT') AND TRY_CAST(field AS DOUBLE) = trunc(TRY_CAST(field AS DOUBLE))
         THEN CASE WHEN abs(TRY_CAST(field AS DOUBLE)) < CASE typeof(field) WHEN 'FLOAT' THEN 16777216 ELSE 9007199254740992 END
                   THEN CAST(TRY_CAST(field AS BIGINT) AS VARCHAR)
                   ELSE format('{:e}', TRY_CAST(field AS DOUBLE)) END
         WHEN starts_with(typeof(field), 'DECIMAL')
             THEN regexp_replace(CAST(field AS VARCHAR), '\.0+$', '')
         ELSE CAST(field AS VARCHAR) END;

-- Why an id cannot be used, or NULL.
CREATE MACRO id_fault(field, name) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty ' || name
         WHEN whole_number(field) IS NOT NULL THEN NULL
         WHEN regexp_full_match(field, '-?[1-9]\d*(\.0)?') THEN name || ' beyond int64'
         ELSE 'unparsable ' || name END;

-- The share of n, rounded down, for the first, second or third number of the split ratio.
CREATE MACRO share_of(n, part) AS
    CAST(n AS BIGINT) * CAST(getvariable('split_ratio')[part] AS BIGINT)
    // CAST(list_sum(getvariable('split_ratio')) AS BIGINT);

-- Names that the steps in shared/ use.
CREATE MACRO shifted(user_id) AS
    CASE WHEN getvariable('user_offset') = 0 THEN user_id
         ELSE TRY_CAST(CAST(user_id AS HUGEINT) + getvariable('user_offset') AS BIGINT) END;
CREATE MACRO ratings_width() AS getvariable('ratings_file').width;
CREATE MACRO max_rating() AS getvariable('max_rating');
CREATE MACRO min_user_ratings() AS getvariable('min_user_ratings');
CREATE MACRO min_movie_ratings() AS getvariable('min_movie_ratings');
CREATE MACRO cut_point(i) AS getvariable('cut_points')[i];
CREATE MACRO preference_of_bucket(i) AS getvariable('preferences')[i];

CREATE MACRO rating_in_range(rating, max_rating) AS rating > 0 AND rating <= max_rating;

-- 1970 to the end of the year 9999. Milliseconds in place of seconds fall outside.
CREATE MACRO timestamp_in_range(seconds) AS seconds BETWEEN 0 AND 253402300799;

CREATE TABLE rejects (file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR);
CREATE TABLE movies (movie_id BIGINT, title VARCHAR, year SMALLINT, genres VARCHAR[], imdb_id VARCHAR, tmdb_id BIGINT);
