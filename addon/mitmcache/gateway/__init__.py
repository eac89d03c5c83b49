"""The gateway port: a dashboard, an API for it, metrics, and what else is asked of the proxy itself."""
