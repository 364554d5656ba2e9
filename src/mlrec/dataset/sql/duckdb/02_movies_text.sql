-- Movie ids that are texts.
-- In: nothing.  Out: macros movie_key, movie_fault and written_movie; table movies, empty.
CREATE OR REPLACE MACRO movie_key(field) AS text_id(field);

CREATE OR REPLACE MACRO movie_fault(field) AS text_id_fault(field, 'movieId');

CREATE OR REPLACE MACRO written_movie(id) AS CAST(id AS VARCHAR);

CREATE OR REPLACE TABLE movies (
    movie_id VARCHAR, title VARCHAR, year SMALLINT, genres VARCHAR[], imdb_id VARCHAR, tmdb_id BIGINT, details VARCHAR
);
