"""HTTP: the Flask app, its endpoints, and the server around them."""
