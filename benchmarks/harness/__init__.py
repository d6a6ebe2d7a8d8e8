"""The part of the benchmarks that knows no framework, and one adapter per framework.

Run by the interpreter of each framework's own environment, so it imports numpy and the standard library only.
"""
