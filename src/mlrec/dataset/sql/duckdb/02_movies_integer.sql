-- Movie ids that are whole numbers.
-- In: nothing.  Out: macros movie_key, movie_fault and written_movie; table movies, empty.
CREATE OR REPLACE MACRO movie_key(field) AS whole_number(field);

CREATE OR REPLACE MACRO movie_fault(field) AS id_fault(field, 'movieId');

CREATE OR REPLACE MACRO written_movie(id) AS id;

CREATE OR REPLACE TABLE movies (
    movie_id BIGINT, title VARCHAR, year SMALLINT, genres VARCHAR[], imdb_id VARCHAR, tmdb_id BIGINT, details VARCHAR
);
