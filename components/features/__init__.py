"""From corpus tokens to the numbers a tagger reads, as TensorFlow operations: one graph for
training and for serving.
"""
