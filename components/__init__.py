"""What each step of the pipeline does: reading and checking corpora, preprocessing, the model, training, evaluation,
publishing.
"""
