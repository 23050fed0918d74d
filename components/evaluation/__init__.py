"""Entity scores as TFMA metrics, and what a new model is compared with."""
