"""Kubeflow Pipelines: the pipeline as YAML. Each step runs the command line, in one image and on one volume.

TFX's own Kubeflow runner is not used: it supports no custom resolvers, and stores its metadata where
neither the gate nor the history would find it.
"""
