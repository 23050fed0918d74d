"""The steps of the pipeline: corpora, preprocessing, model, training, evaluation, publishing."""
