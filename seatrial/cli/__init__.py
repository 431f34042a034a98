"""The command line. One file per command: parse, call one function, print. ``main`` puts them together.

Exit codes: 0 done or promoted, 1 an error, 2 the command line or a settings file is wrong, 3 the gate said no.
"""
