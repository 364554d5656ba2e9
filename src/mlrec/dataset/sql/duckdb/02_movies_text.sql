-- Movie ids that are texts.
-- In: nothing.  Out: macros movie_key and movie_fault; table movies, empty.
CREATE OR REPLACE MACRO movie_key(field) AS text_id(field);

CREATE OR REPLACE MACRO movie_fault(field) AS text_id_fault(field, 'movieId');

CREATE OR REPLACE TABLE movies (
    movie_id VARCHAR, title VARCHAR, year SMALLINT, genres VARCHAR[], imdb_id VARCHAR, tmdb_id BIGINT, details VARCHAR
);
