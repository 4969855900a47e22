"""The commands of ``python -m experiments.data``, one module each.

A module has ``add(add_parser)``, which describes the command line, and ``run(arguments, console)``.
"""
