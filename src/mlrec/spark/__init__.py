"""Apache Spark: starting it, watching it, and explaining its failures. Only this package opens a session."""
