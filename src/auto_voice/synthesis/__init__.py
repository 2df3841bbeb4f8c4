"""The use case: text in, encoded speech out, fairly shared, cached, in bounded memory."""
