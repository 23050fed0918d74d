"""Retraining on a schedule: when it is time, whether there is anything new, one run at a time, and who is told of it."""
