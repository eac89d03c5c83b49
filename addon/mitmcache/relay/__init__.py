"""The loopback origin: what a mitmproxy hook cannot do, such as to send an answer piece by piece."""
