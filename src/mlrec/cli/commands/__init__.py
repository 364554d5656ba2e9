"""One module per command: parse, call the library once, render.

These modules and `options` do not use `from __future__ import annotations`. Typer evaluates the annotations of every
command at every start. As strings, they would have to be compiled twice, which takes a twentieth of the start-up time.
"""
