"""What an application uses: recommendations from a model folder."""
