"""Entity scores as TFMA metrics, the gate by type, and the models and data to compare with."""
