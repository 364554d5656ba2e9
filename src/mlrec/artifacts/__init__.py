"""Files that mlrec writes: atomic writes, the prepared folder, model folders."""
