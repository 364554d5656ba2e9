"""Raw MovieLens files to the prepared folder, and reading it back."""
