"""xla-stocks: forecasts of daily prices by recurrent networks whose loop over the days is a scan, in PyTorch/XLA."""
