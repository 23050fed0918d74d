"""The parts of `benchmarks/compare.py`: the corpus as files, a program for each tool, the cost of
each, and the table.

`crfsuite_tagger` and `spacy_tagger` run in .venv-benchmark, which has only their own dependencies.
With `columns`, `features` and `pace` they do not use the rest of the project.
"""
