-- Macros and empty tables for the later steps.
-- In: nothing.  Out: macros; tables rejects, raw_lines.

-- The fields of a line, as they are. If a line has quoting, the reader has already split it.
CREATE MACRO fields_of(text, quoted, delimiter) AS
    CASE WHEN quoted IS NOT NULL THEN quoted ELSE string_split(text, delimiter) END;

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

-- A field that holds an id: exactly as it is, unless a blank follows every separator in the file.
CREATE MACRO id_field(field, skip_blanks) AS CASE WHEN skip_blanks THEN ltrim(field) ELSE field END;

-- Whether an id has the form of a whole number, also if it is beyond int64.
CREATE MACRO is_whole(field) AS whole_number(field) IS NOT NULL OR regexp_full_match(field, '-?[1-9]\d*(\.0)?');

CREATE MACRO yes_or_no(field) AS
    CASE WHEN lower(trim(field)) IN ('true', 'yes', 'up', 'like', 'liked', 'thumbs up', 'thumbs_up', 'thumbsup', '👍') THEN 1.0
         WHEN lower(trim(field)) IN ('false', 'no', 'down', 'dislike', 'disliked', 'thumbs down', 'thumbs_down', 'thumbsdown', '👎')
             THEN 0.0 END;

-- Text to DOUBLE. DuckDB alone would ignore underscores. Words count as 1 or 0 if the variable words says so.
CREATE MACRO decimal_number(field) AS
    CASE WHEN getvariable('words') THEN yes_or_no(field)
         WHEN NOT contains(field, '_') THEN TRY_CAST(field AS DOUBLE) END;

-- A value of a Parquet file as text, so that the rules can check it. A float that represents a whole number exactly becomes
-- that number. A larger float becomes text that is not a whole number, because neighbouring numbers may have been rounded to it.
CREATE MACRO field_text(field) AS
    CASE WHEN typeof(field) IN ('DOUBLE', 'FLOAT') AND TRY_CAST(field AS DOUBLE) = trunc(TRY_CAST(field AS DOUBLE))
         THEN CASE WHEN abs(TRY_CAST(field AS DOUBLE)) < CASE typeof(field) WHEN 'FLOAT' THEN 16777216 ELSE 9007199254740992 END
                   THEN CAST(TRY_CAST(field AS BIGINT) AS VARCHAR)
                   ELSE format('{:e}', TRY_CAST(field AS DOUBLE)) END
         WHEN starts_with(typeof(field), 'DECIMAL')
             THEN regexp_replace(CAST(field AS VARCHAR), '\.0+$', '')
         WHEN typeof(field) LIKE '%]' OR typeof(field) LIKE '%)' AND typeof(field) NOT LIKE 'DECIMAL%'
             THEN CAST(to_json(field) AS VARCHAR)
         ELSE CAST(field AS VARCHAR) END;

-- Genres of a Parquet file as text: a list of strings is joined by '|'.
CREATE MACRO genres_text(field) AS
    CASE WHEN typeof(field) = 'VARCHAR[]' THEN array_to_string(TRY_CAST(field AS VARCHAR[]), '|') ELSE field_text(field) END;

-- Whether a line is an object of JSON.
CREATE MACRO is_object(text) AS coalesce(json_valid(text) AND starts_with(ltrim(text), '{'), false);

-- The further columns of a movie as the text of a JSON object, without those that are empty; NULL if all are.
CREATE MACRO details_of(entries) AS
    CASE WHEN len(list_filter(entries, lambda one: one.v <> '')) > 0
         THEN CAST(to_json(map_from_entries(list_filter(entries, lambda one: one.v <> ''))) AS VARCHAR) END;

-- Why an id cannot be used, or NULL.
CREATE MACRO id_fault(field, name) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty ' || name
         WHEN whole_number(field) IS NOT NULL THEN NULL
         WHEN regexp_full_match(field, '-?[1-9]\d*(\.0)?') THEN name || ' beyond int64'
         ELSE 'unparsable ' || name END;

-- A text id, exactly as it is: 1 to 200 bytes without NUL.
CREATE MACRO text_id(field) AS CASE WHEN strlen(field) BETWEEN 1 AND 200 AND NOT contains(field, chr(0)) THEN field END;

-- Why a text id cannot be used, or NULL.
CREATE MACRO text_id_fault(field, name) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty ' || name
         WHEN strlen(field) > 200 THEN name || ' longer than 200 bytes'
         WHEN contains(field, chr(0)) THEN 'NUL character in ' || name END;

-- The digits of 9.78300760e8 with the point where the power puts it; NULL if digits before the point are missing.
CREATE MACRO shifted_point(parts) AS
    CASE WHEN length(parts.decimals) >= TRY_CAST(parts.power AS INTEGER)
         THEN parts.whole || left(parts.decimals, TRY_CAST(parts.power AS INTEGER)) || '.'
              || substr(parts.decimals, TRY_CAST(parts.power AS INTEGER) + 1) || '0' END;

-- A number of seconds, exactly: decimals, and scientific notation if it gives every digit before the decimal point. The seventh
-- and later decimals are cut off.
CREATE MACRO exact_seconds(field) AS
    TRY_CAST(regexp_extract(
        CASE WHEN regexp_full_match(field, '-?(0|[1-9]\d*)(\.\d*)?') THEN field
             WHEN regexp_full_match(field, '\d\.\d{1,18}[eE]\+?\d{1,2}')
                 THEN shifted_point(regexp_extract(field, '^(\d)\.(\d+)[eE]\+?(\d+)$', ['whole', 'decimals', 'power'])) END,
        '^(-?\d+(?:\.\d{1,6})?)', 1) AS DECIMAL(26, 6));

-- ISO 8601 as microseconds since 1970. A time without a zone is in the zone of the session.
CREATE MACRO iso_moment(field) AS
    CASE WHEN regexp_full_match(
             field,
             '\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s?(?:Z|[+-]\d\d(?::?\d\d)?))?)?')
         THEN epoch_us(TRY_CAST(regexp_replace(regexp_replace(replace(field, ',', '.'), '\s(Z|[+-]\d\d(?::?\d\d)?)$', '\1'),
                                           '([+-]\d\d)(\d\d)$', '\1:\2') AS TIMESTAMPTZ)) END;

-- The clock on which a number of seconds, milliseconds and so on lies between 1970 and 5138.
CREATE MACRO clock_of(number) AS
    CASE WHEN abs(number) < 100000000000 THEN 's'
         WHEN abs(number) < 100000000000000 THEN 'ms'
         WHEN abs(number) < 100000000000000000 THEN 'us'
         ELSE 'ns' END;

-- A date such as 20240131, from 1900 to 2099. As seconds, such numbers would all be in August 1970.
CREATE MACRO ymd_date(field) AS
    CASE WHEN whole_number(field) BETWEEN 19000101 AND 20991231
         THEN CAST(TRY_STRPTIME(CAST(whole_number(field) AS VARCHAR), '%Y%m%d') AS DATE) END;

-- What a time looks like.
CREATE MACRO time_form(field) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty'
         WHEN ymd_date(field) IS NOT NULL THEN 'ymd'
         WHEN whole_number(field) IS NOT NULL THEN clock_of(whole_number(field))
         WHEN abs(exact_seconds(field)) < 100000000000 THEN 'fraction'
         WHEN regexp_full_match(field, '\d{4}-\d\d-\d\d') THEN CASE WHEN TRY_CAST(field AS DATE) IS NULL THEN 'other' ELSE 'date' END
         WHEN iso_moment(field) IS NOT NULL THEN 'moment'
         ELSE 'other' END;

CREATE MACRO day_ticks(day) AS CAST(day - DATE '1970-01-01' AS BIGINT) * 1099511627776;

-- A time as a number that orders events: seconds, or smaller units if the clock has them. Days are shifted left by 40 bits; later
-- the position in the file fills these bits. Without times, only the position counts.
CREATE MACRO ticks_of(field) AS
    CASE getvariable('clock')
         WHEN 's' THEN whole_number(field)
         WHEN 'ms' THEN whole_number(field)
         WHEN 'us' THEN whole_number(field)
         WHEN 'ns' THEN whole_number(field)
         WHEN 'fraction' THEN CAST(exact_seconds(field) * 1000000 AS BIGINT)
         WHEN 'iso' THEN iso_moment(field)
         WHEN 'date' THEN CASE WHEN regexp_full_match(field, '\d{4}-\d\d-\d\d') THEN day_ticks(TRY_CAST(field AS DATE)) END
         WHEN 'ymd' THEN day_ticks(ymd_date(field))
         WHEN 'format' THEN epoch_us(timezone(getvariable('timezone'), TRY_STRPTIME(field, getvariable('time_format'))))
         WHEN 'date-format' THEN day_ticks(CAST(TRY_STRPTIME(field, getvariable('time_format')) AS DATE))
         ELSE 0 END;

-- Whole seconds since 1970 of such a number.
CREATE MACRO seconds_of(ticks) AS
    CASE WHEN getvariable('clock') IN ('s', 'file', 'random') THEN ticks
         WHEN getvariable('clock') IN ('date', 'ymd', 'date-format') THEN (ticks >> 40) * 86400
         ELSE ticks // getvariable('ticks_per_second') END;

-- The time of a swipe, in seconds, as such a number. On a day that only has a date, swipes come after all events of the file.
CREATE MACRO ticks_of_seconds(seconds) AS
    CASE WHEN getvariable('clock') IN ('s', 'file', 'random') THEN seconds
         WHEN getvariable('clock') IN ('date', 'ymd', 'date-format')
             THEN CAST(seconds // 86400 AS BIGINT) * 1099511627776 + 549755813888 + seconds % 86400
         ELSE CAST(seconds AS BIGINT) * getvariable('ticks_per_second') END;

-- The share of n, rounded down, for the first, second or third number of the split ratio.
CREATE MACRO share_of(n, part) AS
    CAST(n AS BIGINT) * CAST(getvariable('split_ratio')[part] AS BIGINT)
    // CAST(list_sum(getvariable('split_ratio')) AS BIGINT);

-- Whether a row that was read quickly is good, except for the scale, which is looked at afterwards.
CREATE MACRO is_good(user_id, movie_id, rating, timestamp) AS
    coalesce(user_id IS NOT NULL AND movie_id IS NOT NULL AND isfinite(rating) AND timestamp_in_range(seconds_of(timestamp)), false);

-- How many of a user's n events a split of each user's history learns from, and on how many it validates: the first ⌊n·a/s⌋ events go
-- to train, the next ⌊n·b/s⌋ to validation, the rest to test, where a : b : c is the split ratio and s its sum. All events of a user
-- with fewer than 3 go to train.
CREATE MACRO n_train(n) AS CASE WHEN n < 3 THEN n ELSE share_of(n, 1) END;
CREATE MACRO n_val(n) AS CASE WHEN n < 3 THEN 0 ELSE share_of(n, 2) END;

-- The time of an event as it is written: whole seconds, or the position if the events of each user are in a random order.
CREATE MACRO written_time(ticks, position) AS
    CASE WHEN getvariable('clock') = 'random' THEN position ELSE seconds_of(ticks) END;

-- Names that the steps in shared/ use.
CREATE MACRO shifted(user_id) AS
    CASE WHEN getvariable('user_offset') = 0 THEN user_id
         ELSE TRY_CAST(CAST(user_id AS HUGEINT) + getvariable('user_offset') AS BIGINT) END;
CREATE MACRO ratings_width() AS getvariable('ratings_file').width;
CREATE MACRO min_user_ratings() AS getvariable('min_user_ratings');
CREATE MACRO min_movie_ratings() AS getvariable('min_movie_ratings');
CREATE MACRO unrated() AS getvariable('scale').unrated;
CREATE MACRO has_catalogue() AS getvariable('has_catalogue');
CREATE MACRO cut_point(i) AS getvariable('scale').cut_points[i];
CREATE MACRO preference_of_bucket(i) AS getvariable('preferences')[i];

CREATE MACRO rating_in_range(rating) AS
    rating BETWEEN getvariable('scale').low AND getvariable('scale').high
    AND (rating > getvariable('scale').low OR NOT getvariable('scale').above_low);

CREATE MACRO is_on_scale(rating) AS coalesce(rating_in_range(rating) OR rating = unrated(), false);

-- 1970 to the end of the year 9999.
CREATE MACRO timestamp_in_range(seconds) AS seconds BETWEEN 0 AND 253402300799;

-- How the sort holds ids and times, and the other way round: as they are, unless 50_narrow_ids.sql and 50_narrow_times.sql have been
-- run.
CREATE MACRO sorted_id(id) AS id;
CREATE MACRO unsorted_id(id) AS id;
CREATE MACRO sorted_time(ticks) AS ticks;
CREATE MACRO unsorted_time(ticks) AS ticks;

CREATE TABLE rejects (file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR);

-- Genres that are written as a list of Python or JSON, and the genres in it.
CREATE TABLE listed_genres (text VARCHAR, genres VARCHAR[]);
