"""Projects in Flax NNX, Optax and Orbax, on JAX."""
