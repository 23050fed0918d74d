"""The project's own server for development: it speaks TensorFlow Serving's protocol, REST and gRPC."""
