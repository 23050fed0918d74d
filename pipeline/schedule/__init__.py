"""Retraining: when to check for new data, whether a run is needed, one run at a time, and notifications."""
