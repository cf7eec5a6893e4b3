"""lightning-stocks: forecasts of daily prices with an LSTM in PyTorch Lightning."""
