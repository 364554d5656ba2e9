"""Apache Spark: starting it, watching it, and telling its failures in our words. The only room that opens a session."""
