"""Pure computation on numpy arrays: fold-in, scores, top-N. No file, no process, no clock is touched here."""
