"""What runs, in which order and when: configuration, the graph, the orchestrators and the command line."""

__version__ = "0.2.0"
