"""The page of dl-nlp-tool, and the database of what people think of its answers."""
