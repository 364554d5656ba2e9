"""The report: one HTML file that shows how good a model is, how it learns, and the data that it comes from."""
