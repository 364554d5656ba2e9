-- A catalogue for ratings without a movies file: each rated movie, with its id as its title.
-- In: table ratings; table movies, empty.  Out: table movies.
INSERT INTO movies (movie_id, title, genres)
SELECT DISTINCT movie_id, CAST(movie_id AS VARCHAR), [] FROM ratings ORDER BY movie_id;
