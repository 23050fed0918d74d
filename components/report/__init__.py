"""The report of a run: the quality of the model, its errors, and the data behind them.

`figures` defines the content, one module computes each section, and `page` renders it.
"""
