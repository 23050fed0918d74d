"""The published model: what exports it, loads it in this process, and formats its answers.

Needs TensorFlow, not TFX.
"""
