"""Figures for Prometheus: counted from what the journal tells, or read where they are kept when it asks."""
