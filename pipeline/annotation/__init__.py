"""Batch annotation: what a published model finds in many texts, read and written in shards by a Beam pipeline."""
