"""What `benchmarks/compare.py` is made of: the corpus written out once, a program for each tool, what each cost, and the table.

`crfsuite_tagger` and `spacy_tagger` run in .venv-benchmark, where only what they import is installed; with `features` and
`columns` they are plain Python of their own.
"""
