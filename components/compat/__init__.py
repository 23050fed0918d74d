"""Private API of TFX, Beam, Keras and TensorFlow that the project needs, with contract tests."""
