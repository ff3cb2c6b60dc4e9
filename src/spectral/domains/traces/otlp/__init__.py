"""OTLP/HTTP: requests in protobuf and JSON, and their answers."""
