"""Named-entity recognition itself: sentences, tag schemes, tokens and scores.

Plain Python without TensorFlow.
"""
