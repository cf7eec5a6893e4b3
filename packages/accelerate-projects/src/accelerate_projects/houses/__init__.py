"""House prices by a linear model trained with Accelerate, beside other models."""
