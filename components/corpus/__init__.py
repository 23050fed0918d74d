"""Reading, writing, splitting and checking corpora: CoNLL columns and JSON Lines, one sentence at a time.

Plain Python without TensorFlow.
"""
