"""Which voices there are and which one a request means."""
