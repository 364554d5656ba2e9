return {last or '0', token or '0', is_forgotten and 1 or 0, misfit() or ''}
