"""What an operator sees of a running process: numbers for Prometheus, spans for OpenTelemetry."""
