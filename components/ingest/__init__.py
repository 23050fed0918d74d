"""The ExampleGen: from labelled sentences to tf.Examples in splits."""
