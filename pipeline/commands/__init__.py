"""The commands of `tfx-ner`, one a module: thin shells over functions that can be called."""
