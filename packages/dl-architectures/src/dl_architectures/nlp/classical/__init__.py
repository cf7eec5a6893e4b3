"""Classical methods, which need no network: sentiment by n-grams, answers and summaries taken from the text."""
