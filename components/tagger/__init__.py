"""The BiLSTM tagger, as small layers, and the linear-chain CRF on top of it."""
