-- What the later steps call; duckdb/00_setup.sql says why each is as it is. The settings come as functions without arguments,
-- which the caller makes: delimiter, header_lines, ratings_width, place_of(column), max_rating, cut_point(i), and so on.
-- In: nothing.  Out: functions.
-- Spark works out what a function is given before it asks whether the function needs it. So what is given here is a column or a
-- constant, and what costs something stands where it is used, behind the question that seldom leads there.

-- What DuckDB's trim takes for a blank: U+0020 and Unicode's other space separators.
CREATE OR REPLACE TEMPORARY FUNCTION trimmed(field STRING) RETURNS STRING
RETURN trim(BOTH '\u0020\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000' FROM field);

CREATE OR REPLACE TEMPORARY FUNCTION has_blanks(line STRING) RETURNS BOOLEAN
RETURN contains(line, ' ') OR octet_length(line) <> char_length(line);

-- A field as Python's csv reads it: what stands behind a closing quote belongs to it, and so does a quote there.
CREATE OR REPLACE TEMPORARY FUNCTION plain(field STRING) RETURNS STRING
RETURN CASE WHEN startswith(field, '"')
            THEN trimmed(concat(replace(regexp_extract(field, r'(?s)^"((?:[^"]++|"")*+)"', 1), '""', '"'),
                                regexp_extract(field, r'(?s)^"(?:[^"]++|"")*+"(.*)$', 1)))
            ELSE trimmed(field) END;

CREATE OR REPLACE TEMPORARY FUNCTION has_quotes(line STRING) RETURNS BOOLEAN
RETURN delimiter() = ',' AND contains(line, '"');

-- Whether every quote that begins a field is closed on the line.
CREATE OR REPLACE TEMPORARY FUNCTION is_closed(line STRING) RETURNS BOOLEAN
RETURN concat(',', line) RLIKE r'^(?:,(?:"(?:[^"]++|"")*+"[^,]*+|(?!")[^,]*+))++\z';

CREATE OR REPLACE TEMPORARY FUNCTION fields_of(line STRING) RETURNS ARRAY<STRING>
RETURN CASE WHEN has_quotes(line) THEN regexp_extract_all(concat(',', line), r',("(?:[^"]++|"")*+"[^,]*|[^,]*)', 1)
            ELSE split(line, delimiter()) END;

CREATE OR REPLACE TEMPORARY FUNCTION field_at(fields ARRAY<STRING>, place INT, quotes BOOLEAN, blanks BOOLEAN) RETURNS STRING
RETURN CASE WHEN quotes THEN plain(get(fields, place)) WHEN blanks THEN trimmed(get(fields, place)) ELSE get(fields, place) END;

CREATE OR REPLACE TEMPORARY FUNCTION width_of(fields ARRAY<STRING>, expected INT, quotes BOOLEAN, blanks BOOLEAN) RETURNS INT
RETURN CASE WHEN size(fields) = expected + 1 AND field_at(fields, expected, quotes, blanks) = '' THEN expected
            ELSE size(fields) END;

-- What DuckDB reads as a DOUBLE: blanks of ASCII around it, and a minus behind a plus.
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

CREATE OR REPLACE TEMPORARY FUNCTION rating_in_range(rating DOUBLE, max_rating DOUBLE) RETURNS BOOLEAN
RETURN rating > 0 AND rating <= max_rating;

CREATE OR REPLACE TEMPORARY FUNCTION timestamp_in_range(seconds BIGINT) RETURNS BOOLEAN
RETURN seconds BETWEEN 0 AND 253402300799;
