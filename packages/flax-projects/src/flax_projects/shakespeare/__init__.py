"""flax-shakespeare: text written character by character, by recurrent networks and a Transformer in Flax NNX."""
