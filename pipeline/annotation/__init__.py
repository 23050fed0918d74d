"""Batch annotation: entities in the texts of many files, by Apache Beam, in shards that a restart continues."""
