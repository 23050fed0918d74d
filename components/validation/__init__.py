"""The contract on the data, and the gate that holds a run to it."""
