"""Tests of mlrec. A package, so that processes which tests start can import from it."""
