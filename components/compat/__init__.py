"""Private parts of TFX, Beam, Keras and TensorFlow that the project cannot do without; each with a contract test."""
