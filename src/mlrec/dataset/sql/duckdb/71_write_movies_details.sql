-- The whole catalogue to Parquet, with further columns of the movies file.
-- In: tables movies, core_movies; parameter path.  Out: a file.
COPY (
    SELECT movie_id, title, year, genres, imdb_id, tmdb_id, details, coalesce(n, 0) AS n_ratings
    FROM movies LEFT JOIN core_movies USING (movie_id)
    ORDER BY movie_id
) TO $path (FORMAT parquet, COMPRESSION zstd);
