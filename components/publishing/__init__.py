"""Publishing a blessed model for TensorFlow Serving."""
