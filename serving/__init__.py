"""What runs beside a published model: the server, the client, the page and the deployment files."""
