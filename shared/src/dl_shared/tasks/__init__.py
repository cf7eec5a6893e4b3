"""What the projects of one task share: load, baseline, score, pictures."""
