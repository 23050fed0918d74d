"""The report of a run: how good the model is, where it fails, and what in the data causes it.

`figures` says what a report holds; each section is computed by a module of its own, and `page` shows them.
"""
