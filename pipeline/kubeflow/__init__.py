"""The pipeline on Kubeflow Pipelines: steps that call the command line, one after the other, in one image and on one volume.

TFX's own way there is not taken: it knows no resolvers but the latest artifact and the latest blessed model, and keeps
its metadata where neither the gate nor the history would find them.
"""
