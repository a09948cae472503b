"""Benchmarks: how good and how fast, measured on a database of their own; the library never imports them.

A benchmark is a module with `run(bench, …)`, and a command of `nurture.cli.bench` that calls it.
"""
