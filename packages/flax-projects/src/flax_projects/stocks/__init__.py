"""flax-stocks: multi-horizon price forecasts with a Transformer in Flax NNX."""
