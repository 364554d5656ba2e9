"""Pure computation on numpy arrays: fold-in, scores, top-N. Nothing here touches files, processes or the clock."""
