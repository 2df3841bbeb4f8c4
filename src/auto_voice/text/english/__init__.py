"""How what is not written in words is read in English."""
