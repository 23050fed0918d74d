"""Serving published models: the server, the client, the page and the deployment files."""
