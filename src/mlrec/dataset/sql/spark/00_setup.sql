-- Functions for the later steps; duckdb/00_setup.sql explains each. The caller defines further functions for the settings:
-- delimiter, header_lines, ratings_width, place_of(column), max_rating, cut_point(i), and so on.
-- In: nothing.  Out: functions.
-- Spark evaluates the arguments of a function even if the function does not need them. Arguments here are therefore columns or
-- constants, and anything costly is written where it is used, behind the condition that rarely needs it.

-- What DuckDB's trim counts as a blank: U+0020 and the other space separators of Unicode.
CREATE OR REPLACE TEMPORARY FUNCTION trimmed(field STRING) RETURNS STRING
RETURN trim(BOTH '\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000' FROM field);

CREATE OR REPLACE TEMPORARY FUNCTION has_blanks(line STRING) RETURNS BOOLEAN
RETURN contains(line, ' ') OR octet_length(line) <> char_length(line);

-- A field as Python's csv module reads it: text after a closing quote belongs to the field, including further quotes.
CREATE OR REPLACE TEMPORARY FUNCTION plain(field STRING) RETURNS STRING
RETURN CASE WHEN startswith(field, '"')
            THEN concat(replace(regexp_extract(field, r'(?s)^"((?:[^"]++|"")*+)"', 1), '""', '"'),
                        regexp_extract(field, r'(?s)^"(?:[^"]++|"")*+"(.*)$', 1))
            ELSE field END;

CREATE OR REPLACE TEMPORARY FUNCTION has_quotes(line STRING) RETURNS BOOLEAN
RETURN delimiter() = ',' AND contains(line, '"');

-- Whether every quote that begins a field is closed on the line.
CREATE OR REPLACE TEMPORARY FUNCTION is_closed(line STRING) RETURNS BOOLEAN
RETURN concat(',', line) RLIKE r'^(?:,(?:"(?:[^"]++|"")*+"[^,]*+|(?!")[^,]*+))++\z';

CREATE OR REPLACE TEMPORARY FUNCTION fields_of(line STRING) RETURNS ARRAY<STRING>
RETURN CASE WHEN has_quotes(line) THEN regexp_extract_all(concat(',', line), r',("(?:[^"]++|"")*+"[^,]*|[^,]*)', 1)
            ELSE split(line, delimiter()) END;

CREATE OR REPLACE TEMPORARY FUNCTION field_at(fields ARRAY<STRING>, place INT, quotes BOOLEAN) RETURNS STRING
RETURN CASE WHEN quotes THEN plain(get(fields, place)) ELSE get(fields, place) END;

CREATE OR REPLACE TEMPORARY FUNCTION trimmed_field_at(fields ARRAY<STRING>, place INT, quotes BOOLEAN, blanks BOOLEAN)
RETURNS STRING
RETURN CASE WHEN quotes THEN trimmed(plain(get(fields, place))) WHEN blanks THEN trimmed(get(fields, place))
            ELSE get(fields, place) END;

CREATE OR REPLACE TEMPORARY FUNCTION width_of(fields ARRAY<STRING>, expected INT, quotes BOOLEAN, blanks BOOLEAN) RETURNS INT
RETURN CASE WHEN size(fields) = expected + 1 AND field_at(fields, expected, quotes) = '' THEN expected
            ELSE size(fields) END;

-- What DuckDB reads as a DOUBLE: it allows surrounding ASCII blanks, and a minus after a plus.
CREATE OR REPLACE TEMPORARY FUNCTION decimal_number(field STRING) RETURNS DOUBLE
RETURN CASE WHEN field RLIKE r'^\d{1,9}([.]\d{1,9})?\z' THEN CAST(field AS DOUBLE)
            WHEN field RLIKE r'^[ \t\x0b\x0c]*[+]?-?(\d+([.]\d*)?|[.]\d+)([eE][+-]?\d+)?[ \t\x0b\x0c]*\z'
                THEN TRY_CAST(trim(BOTH ' +\t\u000b\u000c' FROM field) AS DOUBLE)
            WHEN field RLIKE r'(?i)^[ \t\x0b\x0c]*[+]?-?nan[ \t\x0b\x0c]*\z' THEN CAST('NaN' AS DOUBLE)
            WHEN field RLIKE r'(?i)^[ \t\x0b\x0c]*[+]?(inf|infinity)[ \t\x0b\x0c]*\z' THEN CAST('Infinity' AS DOUBLE)
            WHEN field RLIKE r'(?i)^[ \t\x0b\x0c]*[+]?-(inf|infinity)[ \t\x0b\x0c]*\z' THEN CAST('-Infinity' AS DOUBLE) END;

CREATE OR REPLACE TEMPORARY FUNCTION whole_number(field STRING) RETURNS BIGINT
RETURN CASE WHEN field RLIKE r'^(0|-?[1-9]\d*)([.]0)?\z' THEN TRY_CAST(regexp_replace(field, r'[.]0\z', '') AS BIGINT) END;

CREATE OR REPLACE TEMPORARY FUNCTION id_fault(field STRING, name STRING) RETURNS STRING
RETURN CASE WHEN field IS NULL OR field = '' THEN concat('empty ', name)
            WHEN whole_number(field) IS NOT NULL THEN NULL
            WHEN field RLIKE r'^-?[1-9]\d*([.]0)?\z' THEN concat(name, ' beyond int64')
            ELSE concat('unparsable ', name) END;

CREATE OR REPLACE TEMPORARY FUNCTION user_key(field STRING) RETURNS BIGINT RETURN shifted(whole_number(field));

CREATE OR REPLACE TEMPORARY FUNCTION movie_key(field STRING) RETURNS BIGINT RETURN whole_number(field);

CREATE OR REPLACE TEMPORARY FUNCTION user_fault(field STRING) RETURNS STRING
RETURN coalesce(id_fault(field, 'userId'), CASE WHEN shifted(whole_number(field)) IS NULL THEN 'userId beyond int64' END);

CREATE OR REPLACE TEMPORARY FUNCTION movie_fault(field STRING) RETURNS STRING RETURN id_fault(field, 'movieId');

CREATE OR REPLACE TEMPORARY FUNCTION ticks_of(field STRING) RETURNS BIGINT RETURN whole_number(field);

CREATE OR REPLACE TEMPORARY FUNCTION is_on_scale(rating DOUBLE) RETURNS BOOLEAN
RETURN coalesce((rating BETWEEN scale_low() AND scale_high() AND (rating > scale_low() OR NOT scale_is_above_low()))
                OR rating = unrated(), false);

CREATE OR REPLACE TEMPORARY FUNCTION timestamp_in_range(seconds BIGINT) RETURNS BOOLEAN
RETURN seconds BETWEEN 0 AND 253402300799;
