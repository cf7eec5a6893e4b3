"""Data, metrics, baselines, plots and run directories for deep-learning projects; imports no framework."""
