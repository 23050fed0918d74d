"""The history: runs, published versions, artifacts, cleaning up and pruning, from ML Metadata; without TFX."""
