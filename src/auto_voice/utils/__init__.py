"""Small leaves that everything may use."""
