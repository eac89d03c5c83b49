"""Tells people when spending, errors, hits or a store are not as they should be."""
