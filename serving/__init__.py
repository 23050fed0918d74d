"""What runs beside a published model: its signatures, loading it, and what its answers mean. Needs no TFX."""
