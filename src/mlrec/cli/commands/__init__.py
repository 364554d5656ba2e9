"""One module a command: parse, one library call, render.

These modules, and `options`, do without `from __future__ import annotations`: Typer evaluates the annotations of every
command at every start, and as text they would have to be compiled anew, twice, which is a twentieth of the start-up.
"""
