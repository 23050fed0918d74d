"""The curated schema, drift, and the gate that stops a run whose data does not fit them."""
