"""Calls as OpenTelemetry's spans and metrics, for those who have set its variables."""
