"""Fitting the tagger, and handing the best one on as a SavedModel."""
