"""What ran, what came of it, and what is kept of it: read from ML Metadata and the work folder, without TFX."""
