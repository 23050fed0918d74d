"""The report of a run: the quality of the model, its errors, and the data behind them.

`figures` defines the content; `evaluation`, `alignment`, `errors`, `data` and `card` compute it, the
first four in the node of `component`; `page` renders it.
"""
