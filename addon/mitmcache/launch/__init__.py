"""Runs a proxy for as long as somebody needs it, and programs through it.

`proxy` starts one and ends it, `find` and `running` know one that is up, `told` is what a program has to be
told of it, `child` runs the program. Nothing here knows the command line.
"""
