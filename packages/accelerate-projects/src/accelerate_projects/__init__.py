"""Projects in Hugging Face Accelerate."""
